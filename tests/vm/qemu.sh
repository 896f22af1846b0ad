# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The QEMU command line of one lab VM: sourced by lab. Reads the lab's settings, fills the array qemu_args.
# shellcheck disable=SC2154  # the settings are the lab's

# Arguments of one end of link i. Only a listening end survives the other VM's restart (QEMU 7.2 does not reconnect).
qemu_link() {
    local i=$1 end=$2 listens=$3
    local mac
    mac=$(printf '52:54:00:77:%02x:%02x' "$i" "$end")
    qemu_args+=(-netdev "stream,id=link$i,server=$listens,addr.type=unix,addr.path=$sockets/link$i"
        -device "virtio-net-pci,netdev=link$i,mac=$mac,host_mtu=9000")
}

qemu_network() {
    local vm=$1 i client_listens=on server_listens=off
    [[ $RESTARTS == server ]] || { client_listens=off && server_listens=on; }
    if [[ $vm == server ]]; then
        for ((i = 1; i <= CLIENTS; i++)); do
            qemu_link "$i" 1 "$server_listens"
        done
    else
        qemu_link "${vm#client}" 2 "$client_listens"
    fi
}

# The serial console: a log file; for the VM of `lab shell` the terminal, for the others of it a unix socket.
qemu_console() {
    local vm=$1 log=$base/console.$1.log
    if [[ $mode != shell ]]; then
        qemu_args+=(-chardev "file,id=console,path=$log,append=on")
    elif [[ $vm == "$shell_vm" ]]; then
        qemu_args+=(-chardev "stdio,id=console,signal=off,logfile=$log,logappend=on")
    else
        qemu_args+=(-chardev "socket,id=console,path=$sockets/$vm.tty,server=on,wait=off,logfile=$log,logappend=on")
    fi
    qemu_args+=(-serial chardev:console)
}

# Time-outs of the kernel's watchdogs are raised: under TCG on a busy host a VM may stand still for seconds.
# A timer that such a VM finds "not working" (no_timer_check) is only late.
# An oops ends the VM at once (-no-reboot), so that nobody waits for it.
qemu_append() {
    echo "console=ttyS0 loglevel=5 panic=-1 oops=panic sysrq_always_enabled no_timer_check watchdog_thresh=30 rcupdate.rcu_cpu_stall_timeout=120" \
        "LAB_VM=$1 LAB_BOOT=$2 $APPEND $append"
}

# qemu_args_of VM BOOT: fills qemu_args.
qemu_args_of() {
    local vm=$1 boot=$2 smp=$CLIENT_SMP mem=$CLIENT_MEM
    [[ $vm != server ]] || { smp=$SERVER_SMP && mem=$MEM; }
    qemu_args=(-name "lab-$vm" -nodefaults -display none -no-reboot
        -M q35 -accel "${LAB_ACCEL:-tcg,thread=multi}" -cpu max -smp "$smp" -m "$mem"
        -kernel "$vmlinuz" -initrd "$initrd" -append "$(qemu_append "$vm" "$boot")"
        -virtfs "local,path=/,mount_tag=hostroot,security_model=none,readonly=on,multidevs=remap"
        -virtfs "local,path=$share,mount_tag=lab,security_model=none,multidevs=remap"
        -device virtio-rng-pci
        -qmp "unix:$sockets/$vm.qmp,server=on,wait=off")
    qemu_console "$vm"
    qemu_network "$vm"
    [[ $vm == server ]] || return 0
    qemu_args+=(-object "memory-backend-file,id=bar,size=$CARD_SIZE,mem-path=$card,share=on"
        -device "ivshmem-plain,memdev=bar,id=card")
    # shellcheck disable=SC2206  # words
    qemu_args+=(${EXTRA_DEVICES//@OUT@/$out})
}
