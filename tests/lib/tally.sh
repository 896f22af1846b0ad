# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Counts test cases and closes with the line that CI reads. Source base.sh first.

tally_passed=0 tally_failed=0 tally_skipped=0
# Set: cases that may be skipped here; any other skip is a failure.
declare -a tally_may_skip
# Cases at once, in places: a heavy case takes more than one.
tally_places=1 tally_used=0
declare -A tally_weight=() tally_name=() tally_output=()

# tally_count NAME STATUS: 0 passed, 77 skipped, all else failed.
tally_count() {
    local name=$1 status=$2
    case $status in
    0) tally_passed=$((tally_passed + 1)) && echo "ok: $name" ;;
    77)
        tally_skipped=$((tally_skipped + 1)) && echo "skipped: $name"
        [[ ! -v tally_may_skip[@] || " ${tally_may_skip[*]} " == *" $name "* ]] || {
            echo "    not expected to be skipped"
            tally_failed=$((tally_failed + 1))
        }
        ;;
    *) tally_failed=$((tally_failed + 1)) && echo "FAILED: $name" ;;
    esac
}

# tally_case NAME COMMAND...: runs a case in a shell of its own with errexit.
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
    tally_count "$name" "$status"
}

# The next case in the background that ends: its output, then its result.
tally_reap() {
    local pid status=0
    wait -n -p pid "${!tally_weight[@]}" || status=$?
    tally_used=$((tally_used - tally_weight[$pid]))
    cat "${tally_output[$pid]}"
    rm -f "${tally_output[$pid]}"
    tally_count "${tally_name[$pid]}" "$status"
    unset "tally_weight[$pid]" "tally_name[$pid]" "tally_output[$pid]"
}

# tally_spawn WEIGHT NAME COMMAND...: a case in the background, as soon as WEIGHT places are free.
tally_spawn() {
    local weight=$1 name=$2 output
    shift 2
    ((weight <= tally_places)) || weight=$tally_places
    while ((tally_used + weight > tally_places)); do
        tally_reap
    done
    output=$(mktemp)
    trap 'tally_stop && exit 130' INT TERM
    set -m # a process group of its own, for tally_stop
    (
        set -e
        "$@"
    ) >"$output" 2>&1 </dev/null &
    set +m
    tally_weight[$!]=$weight tally_name[$!]=$name tally_output[$!]=$output
    tally_used=$((tally_used + weight))
}

# Returns when no case runs in the background.
tally_join() {
    while ((tally_used > 0)); do
        tally_reap
    done
}

# Ends what runs in the background: bash keeps a terminal's interrupt from it.
tally_stop() {
    local pid
    for pid in "${!tally_weight[@]}"; do
        kill -TERM -- "-$pid" || true
        rm -f "${tally_output[$pid]}"
    done
}

# tally_end: the closing line; fails when a case failed, and when none ran.
tally_end() {
    tally_join
    echo "$tally_passed passed, $tally_failed failed, $tally_skipped skipped"
    ((tally_failed == 0 && tally_passed > 0))
}
