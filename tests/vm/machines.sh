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
    echo "--- iopmem-lab: boot ${boots[$vm]} of $vm" >>"$out/console.$vm.log"
    printf '%q ' qemu-system-x86_64 "${qemu_args[@]}" >"$out/command.$vm"
    if [[ $mode == shell && $vm == "$shell_vm" ]]; then
        # In the background, yet with the terminal as standard input.
        "${qemu[@]}" "${qemu_args[@]}" <&7 8>&- &
    else
        "${qemu[@]}" "${qemu_args[@]}" </dev/null >>"$out/qemu.$vm.log" 2>&1 7<&- 8>&- &
    fi
    pids[$vm]=$!
    echo "${pids[$vm]}" >"$out/pid.$vm"
}

listening() {
    [[ -S $1 ]]
}

# The listening ends first; RESTARTS says which those are.
start_all() {
    local vm i
    [[ $RESTARTS == server ]] || vm_start server
    for ((i = 1; i <= CLIENTS; i++)); do
        [[ $RESTARTS == server ]] || wait_for 20 "QEMU of the server listens" listening "$sockets/link$i"
        vm_start "client$i"
    done
    [[ $RESTARTS == server ]] || return 0
    for ((i = 1; i <= CLIENTS; i++)); do
        wait_for 20 "QEMU of client$i listens (see $out/qemu.client$i.log)" listening "$sockets/link$i"
    done
    vm_start server
}

# Notices VMs that have ended; serves `lab boot`. Returns 0 as long as anything runs.
poll_vms() {
    local vm
    for vm in "${!pids[@]}"; do
        kill -0 "${pids[$vm]}" 2>/dev/null && continue
        wait "${pids[$vm]}" 2>/dev/null || true
        unset "pids[$vm]"
        rm -f "$out/pid.$vm"
        [[ $mode == shell ]] || say "$vm has ended: $(vm_end_text "$vm")"
    done
    for vm in "${vms[@]}"; do
        if [[ -e $out/boot.$vm && ! -v "pids[$vm]" ]]; then
            vm_start "$vm"
            rm -f "$out/boot.$vm"
        fi
    done
    ((${#pids[@]} > 0)) || [[ -n $during ]]
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
        [[ -v "pids[$vm]" || -e $out/cut.$vm || -e $out/boot.$vm ]] && continue
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
        rm -f "$out/pid.$vm"
    done
    pids=()
    [[ -z $sockets ]] || rm -rf "$sockets"
    sockets=
}

# ask_kernel VM: what each CPU runs, what all tasks wait for, and which are blocked, on its console (magic SysRq).
# The verdict leaves out what follows the mark: it is no fault of the scenario's.
ask_kernel() {
    local vm=$1 key title deadline
    echo "--- iopmem-lab: $vm is asked what it is at" >>"$out/console.$vm.log"
    while read -r key title; do
        deadline=$((SECONDS + 15))
        LAB_SOCKETS=$sockets cmd_qmp "$vm" '{"execute": "human-monitor-command", "arguments": {"command-line":
            "sendkey alt-sysrq-'"$key"' 200"}}' >>"$out/qemu.$vm.log" 2>&1 || echo "QEMU does not answer" >>"$out/qemu.$vm.log"
        until grep -q "sysrq: $title" "$out/console.$vm.log" || ((SECONDS >= deadline)); do
            sleep 0.5
        done
    done <<<$'l Show backtrace\nt Show State\nw Show Blocked'
}
