# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Words that every test script shares, on the host and in a VM. Source it; it changes no option of the shell.

# Seconds since this shell began, for a reader who asks what took so long.
say() {
    printf '[%6s] %s\n' "$SECONDS" "$*"
}

# Ends the shell (not only the function) with a reason.
fail() {
    printf 'FAIL: %s\n' "$*" >&2
    exit 1
}

# The same after a wait that took too long: whoever runs the script may find that the machine was to blame.
fail_late() {
    printf 'FAIL: %s\n' "$*" >&2
    exit 124
}

# Ends the script as skipped, as ctest and automake understand it.
skip() {
    printf 'SKIP: %s\n' "$*"
    exit 77
}

# Every command named must exist.
need() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || fail "'$tool' is not installed"
    done
}

# has_line GREP-ARGUMENT...: has standard input such a line? Unlike grep -q it reads to the end: under pipefail a writer that
# dies of a pipe which nobody reads would count as a line that is not there. A pattern that grep refuses is in no line.
has_line() {
    [[ $(grep -c "$@" || true) -gt 0 ]]
}

# guard [SECONDS]: after so long a wait counts as a hang: SECONDS, at least a minute, times IOPMEM_SLOW (a decimal factor of 1
# or more, 1 if unset). What is waited for may take any time.
guard() {
    local seconds=${1:-60}
    ((seconds >= 60)) || seconds=60
    [[ ${IOPMEM_SLOW:-1} == 1 ]] ||
        seconds=$(awk -v s="$seconds" -v f="$IOPMEM_SLOW" 'BEGIN { printf "%d", (f > 1 ? s * f : s) }')
    echo "$seconds"
}

# wait_for SECONDS WHAT COMMAND...: runs COMMAND until it succeeds; fails with WHAT after that guard.
wait_for() {
    local seconds what=$2 start=$SECONDS
    seconds=$(guard "$1")
    shift 2
    until "$@"; do
        ((SECONDS - start < seconds)) || fail_late "waited ${seconds} s for: $what"
        sleep 0.1
    done
}
