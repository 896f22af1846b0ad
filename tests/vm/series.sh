# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Several scenarios in one boot of the lab, one after the other, each with file system, module, server and log of its own:
# sourced by lab. Each has a folder below the series' own, as `lab run` makes it, with its exit status and its seconds in
# "result". After one that fails the virtual machines boot again.
# shellcheck disable=SC2154  # the settings are the lab's

# The machines that serve every scenario of the series.
series_machines() {
    local clients=0 mem=0 i this=$scenario
    for scenario in "${every[@]}"; do
        load_scenario
        [[ $SERIES == yes ]] || fail "lab series: $scenario has no SERIES=yes in its scenario.conf"
        ((CLIENTS <= clients)) || clients=$CLIENTS
        ((MEM <= mem)) || mem=$MEM
    done
    scenario=$this CLIENTS=$clients MEM=$mem
    machines=(server)
    for ((i = 1; i <= CLIENTS; i++)); do
        machines+=("client$i")
    done
}

series_boot() {
    local i
    rm -f "$root"/next.* "$root"/console.*.log
    step=0
    for i in "${machines[@]}"; do
        judged[$i]=0
    done
    series_machines
    [[ -n $sockets ]] || sockets=$(mktemp -d /tmp/iopmem-lab.XXXXXX)
    out=$root
    start_all
}

# Did a kernel die before its first process ran?
series_died_booting() {
    local vm
    for vm in "${vms[@]}"; do
        if [[ ! -s $out/work/status.$vm ]] && verdict_died_booting "$root/console.$vm.log"; then
            say "$vm: the kernel panicked before its first process ran: the lab starts again"
            return 0
        fi
    done
    return 1
}

series_ended() {
    [[ -v "pids[$1]" && -s $out/work/status.$1 ]]
}

# Is the scenario's end on the console, behind what was judged before?
series_log_ends() {
    tail -c "+$((judged[$1] + 1))" "$root/console.$1.log" | has_line 'iopmem-lab: scenario ends on'
}

# The scenario, in machines that run or boot.
series_scenario() {
    local vm
    problems=() failing='' late='' bad='' killed='' name=''
    load_scenario
    out=$root/$name
    rm -rf "$out"
    mkdir -p "$out/work"/{vm,barrier,message}
    for vm in "${vms[@]}"; do
        write_env "$vm" "$modules"
    done
    say "$name on kernel $kernel: ${vms[*]}; logs in $out"
    if [[ -f $scenario/host ]] && ! (host_script pre); then
        problem 1 "host pre: failed"
        return
    fi
    step=$((step + 1))
    echo "$name" >"$root/next.new"
    mv "$root/next.new" "$root/next.$step"
    if [[ -f $scenario/host ]]; then
        host_script during &
        during=$!
    fi
    supervise
    if [[ -f $scenario/host ]] && ((${#problems[@]} == 0)) && ! any_failed; then
        (host_script post) || problem 1 "host post: failed"
    fi
    for vm in "${vms[@]}"; do
        ! series_ended "$vm" || wait_for 60 "the kernel's log of $vm" series_log_ends "$vm"
        tail -c "+$((judged[$vm] + 1))" "$root/console.$vm.log" >"$out/console.$vm.log"
        judged[$vm]=$((judged[$vm] + $(stat -c %s "$out/console.$vm.log")))
    done
}

cmd_series() {
    local root modules step=0 worst=0 status started try
    local -a every machines problems=()
    local -A judged=() # how far into each console's log
    mode=series series=1
    parse_args "$@"
    [[ -n $out ]] || fail "lab series: --out is missing"
    every=("${scenarios[@]}")
    prepare
    root=$out share=$out modules=$("$here/kernel" modules "$kernel")
    series_machines
    mkdir -p "$root/vm"
    for vm in "${machines[@]}"; do
        write_env "$vm" "$modules"
        mv "$root/work/vm/$vm.env" "$root/vm/"
    done
    for scenario in "${every[@]}"; do
        started=$SECONDS status=0
        for try in 1 2 3; do
            ((${#pids[@]} == ${#machines[@]})) || { stop_all && series_boot; }
            series_scenario
            ((try < 3)) && series_died_booting || break
            stop_all
        done
        report >"$out/report" 2>&1 || status=$?
        cat "$out/report"
        echo "$status $((SECONDS - started))" >"$out/result"
        if ((status != 0 && status != 77)); then
            worst=$status
            stop_all
        fi
    done
    rm -rf "$root/work"
    ((keep == 1)) || rm -f "$root/card"
    return "$worst"
}
