# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The Debian packages that ./demo and ./check need, and their installation. Source base.sh first.

# To build and to run the embedded demo.
packages_build=(build-essential cmake pkg-config rpcsvc-proto libtirpc-dev libibverbs-dev librdmacm-dev
    libkrb5-dev libinih-dev uthash-dev libsqlite3-dev libsodium-dev libjson-c-dev libssl-dev libfuse3-dev libmicrohttpd-dev libsystemd-dev)
# For the tests that need no virtual machine.
packages_test=(libcmocka-dev python3 iproute2 spin dwarves mandoc krb5-kdc krb5-admin-server krb5-user librsvg2-bin
    fuse3 fio)
# For fuzzing beyond the corpus.
packages_fuzz=(clang libclang-rt-dev)
# For the virtual machines: kernels, the module, XFS, software RDMA.
packages_vm=(debootstrap dkms gcc-aarch64-linux-gnu perl sparse qemu-system-x86 busybox-static cpio xz-utils zstd kmod bc flex bison libelf-dev libssl-dev
    dwarves xfsprogs rdma-core ibverbs-providers ibverbs-utils rdmacm-utils perftest fio stress-ng iproute2 python3 util-linux systemd udev pciutils nfs-kernel-server nfs-common)

# To build packages of ours; fio, for its engine of ours.
packages_debian=(debhelper dh-dkms dh-python dpkg-dev fio lintian)

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
