# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Counts test cases and remembers those that failed. Source base.sh first.

tally_passed=0 tally_failed=0 tally_skipped=0
tally_failures=()

tally_fail() {
    tally_failed=$((tally_failed + 1))
    tally_failures+=("$1")
}

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
    *) tally_fail "$name" && echo "FAILED: $name" ;;
    esac
}

# What says why a case failed, the most telling first.
tally_causes=(
    'kernel log: |Sanitizer|runtime error:|Assertion .* failed|terminate called'
    '(^|[^a-z])FAIL: |^not ok|\[  FAILED  \]|\[   ERROR|^Traceback|^[^ ]+:[0-9]+(:[0-9]+)?: [a-z-]+: '
    'ended by the lab|ended without|exit status [1-9]|Error [0-9]|error: |Timeout'
)

# tally_cause LOG: the line of a case's log that says most likely why it failed, and what stands around it.
tally_cause() {
    local pattern
    [[ -s $1 ]] || { echo "    no log" && return 0; }
    for pattern in "${tally_causes[@]}"; do
        awk -v pattern="$pattern" '
            { sub(/^[0-9]+: /, ""); line[NR] = $0 } # as ctest marks what a test prints
            !first && $0 ~ pattern { first = NR }
            END {
                if (!first) exit 1
                for (i = first > 3 ? first - 3 : 1; i <= first + 4 && i <= NR; i++) print (i == first ? "  > " : "    ") line[i]
            }' "$1" && return
    done
    tail -n 8 "$1" | sed 's/^/    /'
}

# tally_end: the closing line; fails when a case failed, and when none ran.
tally_end() {
    echo "$tally_passed passed, $tally_failed failed, $tally_skipped skipped"
    ((tally_failed == 0 && tally_passed > 0))
}
