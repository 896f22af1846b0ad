# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What a scenario's scripts may use inside a lab VM; loaded before the script runs. Functions that fail end the script.
#
# Set by the lab:  LAB_VM (server, client1 ...)   IOPMEM_VM_INDEX (0 = server, 1..N)   IOPMEM_VM_COUNT (all VMs)
#                  IOPMEM_CLIENTS (N)   LAB_BOOT (1, 2 ... after a restart)   LAB_SCENARIO LAB_DIR LAB_REPO (folders)
#                  /lab (the work folder, one for all VMs and the host)   and every --env of the lab

# shellcheck source=../lib/base.sh
. "$LAB_DIR/../lib/base.sh"

if [[ $- != *i* ]]; then
    set -E
    trap 'echo "FAIL: ${BASH_SOURCE[0]##*/} line $LINENO: $BASH_COMMAND" >&2' ERR
else
    # In the shell of `lab shell` a failure ends the command, not the VM.
    fail() {
        printf 'FAIL: %s\n' "$*" >&2
        kill -INT "$$"
    }
    fail_late() {
        fail "$@"
    }
fi

# --- the other VMs ---------------------------------------------------------------------------------------------------

# Ends this script when another VM has already ended badly, or skipped: nobody waits for the dead.
vm_check_others() {
    local file status
    for file in /lab/status.*; do
        [[ $file != /lab/status.\* && $file != *.new && $file != "/lab/status.$LAB_VM" ]] || continue
        status=$(cat "$file")
        [[ $status != 77 ]] || skip "${file##*/status.} has skipped"
        [[ $status != 124 ]] || fail_late "${file##*/status.} has failed (status $status)"
        [[ $status == 0 ]] || fail "${file##*/status.} has failed (status $status)"
    done
}

barrier_full() {
    local files=("/lab/barrier/$1".*)
    vm_check_others
    ((${#files[@]} >= IOPMEM_VM_COUNT))
}

# vm_barrier NAME [SECONDS]: returns when every VM has called it. A NAME serves once.
vm_barrier() {
    local mine=/lab/barrier/$1.$LAB_VM
    [[ ! -e $mine ]] || fail "barrier $1: used before"
    : >"$mine"
    wait_for "${2:-120}" "barrier $1 ($IOPMEM_VM_COUNT VMs)" barrier_full "$1"
}

# vm_put KEY VALUE: leaves a message for all VMs and the host; replaces an older one at once.
vm_put() {
    printf '%s\n' "$2" >"/lab/message/.$1.$LAB_VM"
    mv "/lab/message/.$1.$LAB_VM" "/lab/message/$1"
}

message_there() {
    vm_check_others
    [[ -e /lab/message/$1 ]]
}

# vm_get KEY [SECONDS]: waits for the message and prints it.
vm_get() {
    wait_for "${2:-120}" "message $1" message_there "$1"
    cat "/lab/message/$1"
}

# --- network ---------------------------------------------------------------------------------------------------------

# server_ip [CLIENT]: the server's address as that client sees it (on a client: as it sees it itself).
server_ip() {
    echo "10.77.${1:-$IOPMEM_VM_INDEX}.1"
}

client_ip() {
    echo "10.77.${1:-$IOPMEM_VM_INDEX}.2"
}

# Which links this VM has: the server one to each client, client i the link i.
net_links() {
    if ((IOPMEM_VM_INDEX == 0)); then
        seq "$IOPMEM_CLIENTS"
    else
        echo "$IOPMEM_VM_INDEX"
    fi
}

# Name of the interface with a MAC address.
net_by_mac() {
    local file
    for file in /sys/class/net/*/address; do
        [[ $(cat "$file" 2>/dev/null) != "$1" ]] || basename "${file%/address}"
    done
}

# link_name MAC NAME: gives the interface that name. Fails while udev, where it runs, gives it one of its own.
link_name() {
    local dev
    dev=$(net_by_mac "$1")
    [[ -n $dev ]] && { [[ $dev == "$2" ]] || ip link set "$dev" name "$2"; }
}

# Brings every link up: interface lab<i>, MTU 9000, 10.77.<i>.1 (server) or .2 (client).
net_up() {
    local i end=2 mac
    ((IOPMEM_VM_INDEX != 0)) || end=1
    for i in $(net_links); do
        mac=$(printf '52:54:00:77:%02x:%02x' "$i" "$end")
        wait_for 20 "an interface with the address $mac" link_name "$mac" "lab$i"
        ip link set "lab$i" mtu 9000
        ip address replace "10.77.$i.$end/24" dev "lab$i"
        ip link set "lab$i" up
    done
}

# rxe_dev [LINK]: name of the RDMA device on a link.
rxe_dev() {
    local first
    read -r first < <(net_links)
    echo "rxe${1:-$first}"
}

rxe_active() {
    [[ $(cat "/sys/class/infiniband/$1/ports/1/state" 2>/dev/null) == *ACTIVE* ]]
}

# rxe_add DEV INTERFACE: waits until its port is active and its IPv4 address is a GID.
rxe_add() {
    modprobe rdma_rxe
    modprobe ib_uverbs
    modprobe rdma_ucm
    rdma link add "$1" type rxe netdev "$2"
    wait_for 20 "port of $1 active" rxe_active "$1"
    wait_for 20 "IPv4 GID of $1" rxe_gid "$1" >/dev/null
}

# Adds rxe<i> on every link (after net_up).
rxe_up() {
    local i
    for i in $(net_links); do
        rxe_add "rxe$i" "lab$i"
    done
}

# Server and clients in one VM: an interface of its own, and later rxe0 on it.
alone_ip=10.78.0.1
alone_up() {
    modprobe dummy
    ip link add fab0 type dummy
    ip link set fab0 mtu 9000 up
    ip address add "$alone_ip/24" dev fab0
}

alone_rxe() {
    rxe_add rxe0 fab0
}

# rxe_gid DEV: prints the index of the RoCEv2 GID that is the IPv4 address.
rxe_gid() {
    local file
    for file in "/sys/class/infiniband/$1/ports/1/gids/"*; do
        [[ $(cat "$file") == 0000:0000:0000:0000:0000:ffff:* ]] && basename "$file" && return
    done
    return 1
}

port_open() {
    local state port=$1
    state=$(ss -Hltn "sport = :$port")
    [[ -n $state ]]
}

# port_wait PORT [SECONDS]: until a TCP listener is there on this VM.
port_wait() {
    wait_for "${2:-30}" "a listener on TCP port $1" port_open "$1"
}

# --- the card --------------------------------------------------------------------------------------------------------

# Prints the PCI address of the memory card (ivshmem, 1af4:1110).
card_bdf() {
    local dev
    for dev in /sys/bus/pci/devices/*; do
        [[ $(cat "$dev/vendor"):$(cat "$dev/device") == 0x1af4:0x1110 ]] && basename "$dev" && return
    done
    fail "no memory card on the PCI bus"
}

# bar_write OFFSET <data, bar_read OFFSET LENGTH >data: through the sysfs mapping of BAR2, for a card without a driver.
bar_write() {
    /usr/bin/python3 "$LAB_DIR/bar" write "$(card_bdf)" "$1"
}

bar_read() {
    /usr/bin/python3 "$LAB_DIR/bar" read "$(card_bdf)" "$1" "$2"
}

# --- file systems ----------------------------------------------------------------------------------------------------

# at_least A B: version A >= B
at_least() {
    [[ $(printf '%s\n%s\n' "$1" "$2" | sort -V | tail -n 1) == "$1" ]]
}

# mkfs.xfs flags for a DAX file system that the running kernel can mount, whatever the age of xfsprogs.
mkfs_xfs_flags() {
    local progs kernel
    progs=$(mkfs.xfs -V | awk '{ print $NF }')
    kernel=$(uname -r)
    printf '%s' "-f -q -m reflink=0,rmapbt=0"
    if at_least "$progs" 6.5.0 && ! at_least "$kernel" 6.5; then
        printf '%s' " -i nrext64=0"
    fi
    if at_least "$progs" 6.10.0 && ! at_least "$kernel" 6.10; then
        printf '%s' " -i exchange=0 -n parent=0"
    fi
    echo
}

# mkfs_xfs DEVICE [FLAG...]
mkfs_xfs() {
    local dev=$1
    shift
    # shellcheck disable=SC2046
    mkfs.xfs $(mkfs_xfs_flags) "$@" "$dev"
}
