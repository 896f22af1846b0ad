# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Counts test cases and closes with the line that CI reads. Source base.sh first.

tally_passed=0 tally_failed=0 tally_skipped=0

# tally_case NAME COMMAND...: runs a case in a shell of its own with errexit; 0 passed, 77 skipped, all else failed.
# Assumes: not called in a condition (if, ||, &&), where bash would ignore errexit inside the case as well.
tally_case() {
    local name=$1 status
    shift
    set +e
    (
        set -e
        "$@"
    )
    status=$?
    set -e
    case $status in
    0) tally_passed=$((tally_passed + 1)) && echo "ok: $name" ;;
    77) tally_skipped=$((tally_skipped + 1)) && echo "skipped: $name" ;;
    *) tally_failed=$((tally_failed + 1)) && echo "FAILED: $name" ;;
    esac
}

# tally_end: the closing line; fails when a case failed, and when none ran.
tally_end() {
    echo "$tally_passed passed, $tally_failed failed, $tally_skipped skipped"
    ((tally_failed == 0 && tally_passed > 0))
}
