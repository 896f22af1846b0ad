# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What a lab run's logs say: sourced by lab. All functions take the run's folder.

# verdict_kernel_log FILE ALLOW: prints the lines of a console log that fail a test: those after a scenario's start.
# A WARNING line that ALLOW matches is tolerated together with its trace.
verdict_kernel_log() {
    awk -v allow="$2" '
        { sub(/\r$/, "") }
        /^--- iopmem-lab: boot / { on = 0; tolerated = 0 }
        /iopmem-lab: scenario starts on / { on = 1; next }
        !on { next }
        tolerated && /---\[ end trace/ { tolerated = 0; next }
        tolerated && !/WARNING:|BUG:|Oops|Kernel panic/ { next }
        /WARNING:|BUG:|Call Trace|Oops|general protection|blocked for more than|Kernel panic|refcount_t|UBSAN|KASAN|lockdep/ {
            if (allow != "" && $0 ~ allow) { tolerated = /WARNING:.* at /; next }
            print
        }' "$1"
}

# verdict_vm OUT VM ALLOW: prints what is wrong with a VM; nothing when all is well. Status 77 (skipped) is well.
verdict_vm() {
    local out=$1 vm=$2 allow=$3 status lines
    if [[ -s $out/work/status.$vm ]]; then
        status=$(cat "$out/work/status.$vm")
        [[ $status == 0 || $status == 77 ]] || echo "$vm: exit status $status"
    elif [[ ! -e $out/cut.$vm ]]; then
        echo "$vm: ended without an exit status"
    fi
    lines=$(verdict_kernel_log "$out/console.$vm.log" "$allow")
    [[ -z $lines ]] || awk -v vm="$vm" '{ print vm ": kernel log: " $0 }' <<<"$lines"
}

# The tail of every log of a run, for a person.
verdict_tails() {
    local out=$1 file
    for file in "$out"/console.*.log "$out"/qemu.*.log "$out"/work/output.* "$out"/host.*.log; do
        [[ -s $file ]] || continue
        echo "==== last lines of $file"
        tail -n 40 "$file" | tr -d '\r'
    done
}
