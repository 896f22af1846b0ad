# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The Debian packages that ./demo and ./check need, and their installation. Source base.sh first.

# To build and to run the embedded demo.
packages_build=(build-essential cmake pkg-config rpcsvc-proto libtirpc-dev libibverbs-dev librdmacm-dev
    libinih-dev uthash-dev libsqlite3-dev)
# For the tests that need no virtual machine (procps: sysctl, e2fsprogs: mkfs.ext4, git: the files that lint reads,
# dwarves: pahole).
packages_test=(libcmocka-dev python3 iproute2 procps e2fsprogs util-linux mount git dwarves mandoc)
# For ./check --long: a minimal Debian, to run the README's commands in.
packages_long=(debootstrap)
# For the virtual machines: kernels, the module, XFS, software RDMA.
packages_vm=(qemu-system-x86 busybox-static cpio xz-utils zstd kmod bc flex bison libelf-dev libssl-dev dwarves
    xfsprogs rdma-core ibverbs-providers ibverbs-utils rdmacm-utils perftest iproute2 python3 util-linux pciutils)

# packages_missing PACKAGE...: prints those that are not installed.
packages_missing() {
    local package
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
    done
}

# packages_need PACKAGE...: installs what is missing, saying so; not root: fails with the command to run.
packages_need() {
    local missing
    mapfile -t missing < <(packages_missing "$@" | sort -u)
    ((${#missing[@]})) || return 0
    ((EUID == 0)) || fail "packages are missing, run as root: apt-get install -y --no-install-recommends ${missing[*]}"
    say "installing Debian packages: ${missing[*]}"
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "${missing[@]}"; } >/tmp/iopmem-apt.$$.log 2>&1 || {
        tail -n 20 /tmp/iopmem-apt.$$.log >&2
        fail "apt-get could not install: ${missing[*]} (whole log: /tmp/iopmem-apt.$$.log)"
    }
    rm -f /tmp/iopmem-apt.$$.log
}
