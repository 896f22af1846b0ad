# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What a lab run's logs say: sourced by lab. All functions take the run's folder.

# verdict_kernel_log FILE ALLOW: prints the lines of a console log that fail a test: those after a scenario's start.
# A report that ALLOW matches is tolerated to its end. The head of one by lockdep is more than its first line: the locks.
verdict_kernel_log() {
    awk -v allow="$2" '
        function judge(head, end) {
            tolerated = allow != "" && head ~ allow ? end : ""
            if (tolerated == "") print head
        }
        function judge_locks() {
            if (locks != "") judge(locks, "</TASK>")
            locks = ""
        }
        { sub(/\r$/, "") }
        /^--- iopmem-lab: boot / { judge_locks(); on = asked = 0; tolerated = "" }
        /^--- iopmem-lab: .* is asked / { asked = 1 }
        asked { next }
        /iopmem-lab: scenario starts on / { on = 1; next }
        !on { next }
        locks != "" && (/the existing dependency chain|stack backtrace/ || ++heads > 12) { judge_locks() }
        locks != "" { locks = locks " " $0; next }
        tolerated != "" && $0 ~ tolerated { tolerated = ""; next }
        tolerated != "" && !/WARNING:|BUG:|Oops|Kernel panic/ { next }
        /WARNING: possible .* detected/ { locks = $0; heads = 0; next }
        /BUG: KASAN:/ { judge($0, "=====$"); next }
        /WARNING:.* at / { judge($0, "---\\[ end trace"); next }
        /WARNING:|BUG:|Call Trace|Oops|general protection|blocked for more than|Kernel panic|refcount_t|UBSAN|KASAN|lockdep/ {
            if (allow == "" || $0 !~ allow) print
        }
        END { judge_locks() }' "$1"
}

# verdict_died_booting FILE: did the kernel of the last boot in a console log panic before its first process ran?
# Under TCG it may: a vCPU that still runs the old code of a place which the other one patches traps (jump labels).
verdict_died_booting() {
    awk '
        /^--- iopmem-lab: boot / { panic = ran = 0 }
        /iopmem-lab: init-ram runs on / { ran = 1 }
        /Kernel panic - not syncing/ { panic = 1 }
        END { exit !(panic && !ran) }' "$1"
}

# verdict_stuck OUT: prints what hangs for a reason of its own: tasks that are blocked in a kernel, recalls without an end.
verdict_stuck() {
    local out=$1 file
    for file in "$out"/console.*.log; do
        [[ ! -s $file ]] || awk -v vm="$(basename "$file" .log)" '
            { sub(/\r$/, "") }
            function judge() {
                # A file of the host that is on its way is no hang; what hangs does so both times.
                if (task != "" && !ordinary && seen[task]++ == 1) print vm ": blocked in the kernel: " task
                task = ""; ordinary = 0
            }
            /^--- iopmem-lab: .* is asked / { asked = 1 }
            /sysrq: / { judge(); blocked = asked && /Show Blocked State/ }
            blocked && /task:[^ ]+ +state:/ { judge() }
            blocked && /task:[^ ]+ +state:D/ { task = substr($0, index($0, "task:")) }
            /p9_client_rpc/ { ordinary = 1 }
            END { judge() }' "$file"
    done
    for file in "$out"/work/blocked.*; do
        [[ ! -s $file ]] || sed "s/^/${file##*.}: blocked in the kernel: /" "$file"
    done
    [[ ! -s $out/work/server.log ]] || awk '
        # "TIME LEVEL FILE: recalling [A, B) from client C (WHY)", "TIME LEVEL FILE: client C gave back ..." or "... is fenced ..."
        { text = $0; sub(/^[^ ]+ +[a-z]+ +/, "", text) }
        match(text, /: recalling \[.*\) from client [^ ]+/) {
            file = substr(text, 1, RSTART - 1); client = substr(text, RSTART, RLENGTH); sub(/.* /, "", client)
            out[file " " client] = text
        }
        match(text, /: client [^ ]+ (gave back|is fenced)/) {
            file = substr(text, 1, RSTART - 1); client = substr(text, RSTART + 9); sub(/ .*/, "", client)
            delete out[file " " client]
        }
        match(text, /^client [^ ]+: all its state is gone/) {
            client = substr(text, 8); sub(/:.*/, "", client)
            for (c in out) if (substr(c, length(c) - length(client)) == " " client) delete out[c]
        }
        END { for (c in out) print "recall outstanding: " out[c] }' "$out/work/server.log"
}

# verdict_vm OUT VM ALLOW: prints what is wrong with a VM; nothing when all is well. Status 77 (skipped) is well.
verdict_vm() {
    local out=$1 vm=$2 allow=$3 status lines
    if [[ -s $out/work/status.$vm ]]; then
        status=$(cat "$out/work/status.$vm")
        [[ $status == 0 || $status == 77 ]] || echo "$vm: exit status $status"
        # Without its start there would be nothing to judge.
        grep -q 'iopmem-lab: scenario starts on' "$out/console.$vm.log" || echo "$vm: no kernel log of the scenario"
    elif [[ ! -e $out/cut.$vm ]]; then
        echo "$vm: ended without an exit status"
    fi
    lines=$(verdict_kernel_log "$out/console.$vm.log" "$allow")
    [[ -z $lines ]] || awk -v vm="$vm" '{ print vm ": kernel log: " $0 }' <<<"$lines"
}

# verdict_tail LINES [FILE...]
verdict_tail() {
    local lines=$1 file
    shift
    for file; do
        echo "==== last lines of $file"
        tail -n "$lines" "$file" | tr -d '\r'
    done
}

# The tail of every log of a run, for a person: last and longest those of the VMs that did not end well.
verdict_tails() {
    local out=$1 file vm
    local -a well=() ill=()
    for file in "$out"/console.*.log "$out"/qemu.*.log "$out"/work/{output.*,*.err,*.log} "$out"/host.*.log; do
        [[ -s $file ]] || continue
        vm=${file##*/}
        vm=${vm#*.}
        vm=${vm%.log}
        if [[ $(cat "$out/work/status.$vm" 2>/dev/null) == 0 || -e $out/cut.$vm ]]; then
            well+=("$file")
        else
            ill+=("$file")
        fi
    done
    verdict_tail 10 ${well[@]+"${well[@]}"}
    verdict_tail 40 ${ill[@]+"${ill[@]}"}
}
