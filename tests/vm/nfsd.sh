# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The kernel's NFS server inside a lab VM, version 4.2, exporting $mnt as its root. Source it after iopmem.sh.

# nfsd_up THREADS [OPTION...]: with its helpers: who may mount (mountd), which clients there were (nfsdcld: without any there is
# no grace period). The options are those of rpc.nfsd.
nfsd_up() {
    modprobe nfsd
    mount -t nfsd nfsd /proc/fs/nfsd
    mkdir -p /run/rpc_pipefs
    mount -t rpc_pipefs rpc_pipefs /run/rpc_pipefs
    nfsdcld -p /run/rpc_pipefs
    exportfs -o rw,no_root_squash,no_subtree_check,sync,fsid=0 "*:$mnt"
    rpc.mountd --no-nfs-version 3 --no-udp
    rpc.nfsd --no-nfs-version 3 --nfs-version 4.2 --no-udp "${@:2}" "$1"
    [[ $(cat /proc/fs/nfsd/threads) == "$1" ]]
}

nfsd_down() {
    rpc.nfsd 0
    exportfs -ua
    kill "$(pidof rpc.mountd)" "$(pidof nfsdcld)"
    umount /proc/fs/nfsd
}
