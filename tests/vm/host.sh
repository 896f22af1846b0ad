# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What a scenario's host script may use; loaded before it runs. $1 of the script is the phase: pre, during or post.
#
# Set by the lab:  LAB_CARD (the card's file)   LAB_WORK (/lab of the VMs)   LAB_OUT (logs, pid.VM)   LAB (the lab command)
#                  LAB_KERNEL LAB_SCENARIO LAB_DIR LAB_REPO   and every --env of the lab

# shellcheck source=../lib/base.sh
. "$LAB_DIR/../lib/base.sh"

# vm_put KEY VALUE and vm_get KEY [SECONDS]: as in guest.sh.
vm_put() {
    printf '%s\n' "$2" >"$LAB_WORK/message/.$1.host"
    mv "$LAB_WORK/message/.$1.host" "$LAB_WORK/message/$1"
}

vm_get() {
    wait_for "${2:-120}" "message $1" test -e "$LAB_WORK/message/$1"
    cat "$LAB_WORK/message/$1"
}

# vm_cut VM: power cut. vm_boot VM: power back.
vm_cut() {
    "$LAB" cut "$1"
}

vm_boot() {
    "$LAB" boot "$1"
}

# card_bytes OFFSET LENGTH: prints bytes of the card.
card_bytes() {
    dd if="$LAB_CARD" iflag=skip_bytes,count_bytes bs=1M skip="$(($1))" count="$(($2))" status=none
}

# card_write OFFSET <data: writes bytes to the card.
card_write() {
    dd of="$LAB_CARD" oflag=seek_bytes bs=1M seek="$(($1))" conv=notrunc status=none
}

# card_file EXTENTS SIZE FILE: writes a file's bytes as they are on the card. EXTENTS: filefrag -v -b1, XFS on the whole card.
card_file() {
    : >"$3"
    # "ext: logical..end: physical..end: length: ..."
    sed -n 's/^ *[0-9]*: *\([0-9]*\)\.\. *[0-9]*: *\([0-9]*\)\.\. *[0-9]*: *\([0-9]*\):.*/\1 \2 \3/p' "$1" |
        while read -r logical physical length; do
            card_bytes "$physical" "$length" |
                dd of="$3" oflag=seek_bytes bs=1M seek="$logical" conv=notrunc status=none
        done
    truncate -s "$2" "$3"
}
