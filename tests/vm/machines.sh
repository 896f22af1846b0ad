# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The virtual machines of a run, from their start to their end: sourced by lab. pids[VM] is of those that run.
# shellcheck disable=SC2154  # the settings are the lab's

vm_start() {
    local vm=$1
    # Should the lab itself be killed, its VMs go with it.
    local qemu=(setpriv --pdeathsig KILL qemu-system-x86_64)
    boots[$vm]=$((${boots[$vm]:-0} + 1))
    qemu_args_of "$vm" "${boots[$vm]}"
    rm -f "$out/cut.$vm" "$out/work/status.$vm" "$sockets/$vm.qmp"
    echo "--- iopmem-lab: boot ${boots[$vm]} of $vm" >>"$base/console.$vm.log"
    printf '%q ' qemu-system-x86_64 "${qemu_args[@]}" >"$base/command.$vm"
    if [[ $mode == shell && $vm == "$shell_vm" ]]; then
        # In the background, yet with the terminal as standard input.
        "${qemu[@]}" "${qemu_args[@]}" <&7 8>&- &
    else
        "${qemu[@]}" "${qemu_args[@]}" </dev/null >>"$base/qemu.$vm.log" 2>&1 7<&- 8>&- &
    fi
    pids[$vm]=$!
    echo "${pids[$vm]}" >"$base/pid.$vm"
}

listening() {
    [[ -S $1 ]]
}

# A virtual machine that does not start ends the lab: in a series, all that is left of it.
not_started() {
    local left
    for left in ${every[@]+"${every[@]}"}; do
        mkdir -p "$base/$(basename "$left")"
        [[ -e $base/$(basename "$left")/result ]] || echo "$EXIT_NOT_STARTED 0" >"$base/$(basename "$left")/result"
    done
    exit "$EXIT_NOT_STARTED"
}

# qemu_listens VM LINK
qemu_listens() {
    (wait_for 60 "QEMU of $1 listens (see $base/qemu.$1.log)" listening "$sockets/link$2") || not_started
}

# The listening ends first; RESTARTS says which those are.
start_all() {
    local vm i
    [[ $RESTARTS == server ]] || vm_start server
    for ((i = 1; i <= CLIENTS; i++)); do
        [[ $RESTARTS == server ]] || qemu_listens server "$i"
        vm_start "client$i"
    done
    [[ $RESTARTS == server ]] || return 0
    for ((i = 1; i <= CLIENTS; i++)); do
        qemu_listens "client$i" "$i"
    done
    vm_start server
}

# Is a VM at its scenario? In a series it is there still when its script has ended.
vm_busy() {
    [[ -v "pids[$1]" ]] && { [[ -z $series ]] || [[ ! -s $out/work/status.$1 ]]; }
}

any_busy() {
    local vm
    for vm in "${vms[@]}"; do
        ! vm_busy "$vm" || return 0
    done
    [[ -n $during ]]
}

# Notices VMs that have ended; serves `lab boot`. Returns 0 as long as anything runs.
poll_vms() {
    local vm
    for vm in "${!pids[@]}"; do
        kill -0 "${pids[$vm]}" 2>/dev/null && continue
        wait "${pids[$vm]}" 2>/dev/null || true
        unset "pids[$vm]"
        rm -f "$base/pid.$vm"
        [[ $mode == shell ]] || say "$vm has ended: $(vm_end_text "$vm")"
    done
    for vm in "${vms[@]}"; do
        if [[ -e $out/boot.$vm && ! -v "pids[$vm]" ]]; then
            vm_start "$vm"
            rm -f "$out/boot.$vm"
        fi
    done
    any_busy
}

vm_end_text() {
    if [[ -s $out/work/status.$1 ]]; then
        echo "status $(cat "$out/work/status.$1")"
    elif [[ -e $out/cut.$1 ]]; then
        echo "power cut"
    else
        echo "no status"
    fi
}

# Has a VM that is not running ended badly?
any_failed() {
    local vm
    for vm in "${vms[@]}"; do
        vm_busy "$vm" && continue
        [[ -e $out/cut.$vm || -e $out/boot.$vm ]] && continue
        case $(cat "$out/work/status.$vm" 2>/dev/null) in
        0 | 77) ;;
        *) return 0 ;;
        esac
    done
    return 1
}

stop_all() {
    local vm
    if [[ -n $during ]]; then
        kill -- "-$during" 2>/dev/null || true
        wait "$during" 2>/dev/null || true
        during=
    fi
    for vm in "${!pids[@]}"; do
        kill -KILL "${pids[$vm]}" 2>/dev/null || true
        wait "${pids[$vm]}" 2>/dev/null || true
        rm -f "$base/pid.$vm"
    done
    pids=()
    [[ -z $sockets ]] || rm -rf "$sockets"
    sockets=
}

# ask_kernel VM: what each CPU runs, what all tasks wait for, and which are blocked, on its console (magic SysRq).
# The verdict leaves out what follows the mark: it is no fault of the scenario's. Fails when the kernel does not answer.
ask_kernel() {
    local vm=$1 key title deadline
    local -A asked=()
    echo "--- iopmem-lab: $vm is asked what it is at" >>"$base/console.$vm.log"
    while read -r key title; do
        deadline=$((SECONDS + $(guard)))
        LAB_SOCKETS=$sockets cmd_qmp "$vm" '{"execute": "human-monitor-command", "arguments": {"command-line":
            "sendkey alt-sysrq-'"$key"' 200"}}' >>"$base/qemu.$vm.log" 2>&1 || echo "QEMU does not answer" >>"$base/qemu.$vm.log"
        asked[$key]=$((${asked[$key]:-0} + 1))
        until (($(grep -c "sysrq: $title" "$base/console.$vm.log") >= asked[$key])); do
            ((SECONDS < deadline)) || return 1
            sleep 0.5
        done
    done <<<$'l Show backtrace\nt Show State\nw Show Blocked\nh HELP\nw Show Blocked\nh HELP' # HELP: all that was asked before is there
}
