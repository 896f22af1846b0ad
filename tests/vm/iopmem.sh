# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The product inside a lab VM: module, card, file system, server, client. Source it in a scenario's script.
# Needs from the lab: IOPMEM_BUILD (build folder of the user-space part), IOPMEM_KO (the module for this kernel).

export PATH=$IOPMEM_BUILD/client:$IOPMEM_BUILD/server:$IOPMEM_BUILD/tests/tools:$IOPMEM_BUILD/tests/vm/tools:$IOPMEM_BUILD/tests/hosts:$PATH
mnt=/mnt/pmem
server_log=/lab/server.log

# Loads the module and binds the emulated card (declared coherent: it is RAM).
card_up() {
    local bdf
    bdf=$(card_bdf)
    modprobe xfs
    insmod "$IOPMEM_KO" coherent=1 "$@"
    echo iopmem >"/sys/bus/pci/devices/$bdf/driver_override"
    echo "$bdf" >/sys/bus/pci/drivers_probe
    wait_for 20 "/dev/iopmem0" test -b /dev/iopmem0
}

# mkfs and mount with DAX.
fs_up() {
    mkfs_xfs /dev/iopmem0
    fs_mount
}

fs_mount() {
    mkdir -p "$mnt"
    mount -t xfs -o dax=always /dev/iopmem0 "$mnt"
    chmod 1777 "$mnt"
}

server_serves() {
    kill -0 "$server_pid" 2>/dev/null || {
        cat "$server_log" >&2
        fail "iopmem-server ended"
    }
    grep -q serving "$server_log"
}

# A server fences nobody for being slow: deadlines beyond every guard. A scenario that wants a fence says when.
patient=(--lease-ms 3600000 --recall-ms 3600000)

# server_up [ARGUMENT...]: iopmem-server on XFS and verbs, on every link. Later arguments win.
server_up() {
    : >"$server_log"
    iopmem-server --export "pmem=$mnt,squash=none" --listen 0.0.0.0:20490 --fabric verbs \
        --state-dir /var/lib/iopmem "${patient[@]}" "$@" 2>>"$server_log" &
    server_pid=$!
    wait_for 60 "iopmem-server to serve" server_serves
}

server_down() {
    kill "$server_pid"
    wait "$server_pid" || fail "iopmem-server ended badly: $(tail -n 3 "$server_log")"
    ! grep ' error ' "$server_log" || fail "iopmem-server logged errors"
}

fs_down() {
    umount "$mnt"
}

card_down() {
    wait_for 20 "the module to be unused" module_unused
    rmmod iopmem
}

module_unused() {
    [[ $(cat /sys/module/iopmem/refcnt) == 0 ]]
}

# On a client: the URL of the export.
export_url() {
    echo "iopmem://$(server_ip)/pmem"
}

# --- scripted clients: iopmem_script, one line in, one line out --------------------------------------------------------

declare -A script_in script_out script_pid

# script_start NAME [ARGUMENT...]: starts a client.
script_start() {
    local name=$1 in out
    shift
    mkfifo "/tmp/$name.in" "/tmp/$name.out"
    iopmem_script "$@" "$(export_url)" <"/tmp/$name.in" >"/tmp/$name.out" 2>"/lab/client-$name.$LAB_VM.err" &
    script_pid[$name]=$!
    exec {in}>"/tmp/$name.in" {out}<"/tmp/$name.out"
    script_in[$name]=$in script_out[$name]=$out
    [[ $(script_reply "$name") == "ok connected" ]] || fail "client $name does not connect: $(cat "/lab/client-$name.$LAB_VM.err")"
}

# script_send NAME COMMAND: without waiting for the answer.
script_send() {
    printf '%s\n' "$2" >&"${script_in[$1]}"
}

# script_reply NAME [SECONDS]: prints the next answer.
script_reply() {
    local line
    read -r -t "$(guard "${2:-60}")" -u "${script_out[$1]}" line || fail_late "client $1 does not answer: $(cat "/lab/client-$1.$LAB_VM.err")"
    printf '%s\n' "$line"
}

# script NAME COMMAND [SECONDS]: the command must succeed; prints its answer.
script() {
    local reply
    script_send "$1" "$2"
    reply=$(script_reply "$1" "${3:-60}")
    [[ $reply == ok* && $reply != *mismatch* ]] || fail "client $1: '$2' answered '$reply'"
    printf '%s\n' "$reply"
}

# script_refused NAME ERRNO COMMAND [SECONDS]: the command must fail so.
script_refused() {
    local reply
    script_send "$1" "$3"
    reply=$(script_reply "$1" "${4:-60}")
    [[ $reply == "error $2"* ]] || fail "client $1: '$3' answered '$reply', expected error $2"
}

# script_writes NAME: how many writes of its "blast" are complete. The client was started with --tell-writes.
script_writes() {
    awk '/^blast / { n = $2 } END { print n + 0 }' "/lab/client-$1.$LAB_VM.err"
}

script_end() {
    local in=${script_in[$1]} out=${script_out[$1]}
    exec {in}>&-
    # Its last words want a reader.
    wait "${script_pid[$1]}" || fail "client $1 ended badly: $(cat "/lab/client-$1.$LAB_VM.err") $(script_reply "$1" 1)"
    exec {out}<&-
    rm -f "/tmp/$1.in" "/tmp/$1.out"
}

# Ends a client whose server is gone, whatever it is doing.
script_kill() {
    local in=${script_in[$1]} out=${script_out[$1]}
    kill -KILL "${script_pid[$1]}"
    exec {in}>&- {out}<&-
    wait "${script_pid[$1]}" 2>/dev/null || true
    rm -f "/tmp/$1.in" "/tmp/$1.out"
}

# --- the server's script directs the clients ---------------------------------------------------------------------------

obey_port=7070
declare -A on_fd

on_dial() {
    exec {on_new}<>"/dev/tcp/$(client_ip "$1")/$obey_port"
} 2>/dev/null

# on_start CLIENT COMMAND: client VM runs COMMAND (a line of shell) in its own script's shell.
on_start() {
    local on_new
    if [[ -z ${on_fd[$1]:-} ]]; then
        wait_for 60 "client $1 to take orders" on_dial "$1"
        on_fd[$1]=$on_new
    fi
    printf '%s\n' "$2" >&"${on_fd[$1]}"
}

# on_end CLIENT [SECONDS]: what the command printed; fails when the client has.
on_end() {
    local line seconds status
    seconds=$(guard "${2:-120}")
    while :; do
        status=0
        read -r -t "$seconds" -u "${on_fd[$1]}" line || status=$?
        ((status <= 128)) || fail_late "client $1 does not answer within $seconds s"
        ((status == 0)) || fail "client $1 has failed: see its output"
        [[ $line != end-of-answer ]] || return 0
        printf '%s\n' "$line"
    done
}

# on CLIENT COMMAND [SECONDS]
on() {
    on_start "$1" "$2"
    on_end "$1" "${3:-120}"
}

# What a client has to say when its script does not end by "end"; a scenario's script may define another one.
last_words() {
    :
}

# obey: a client's whole script; ends with the command "end".
obey() {
    local command
    mkfifo /tmp/orders /tmp/answers
    : >/tmp/result
    exec 7>&1
    trap 'cat /tmp/result >&7; last_words >&7 2>&1' EXIT # /tmp/result: of a command that ends the script
    busybox nc -l -p "$obey_port" </tmp/answers >/tmp/orders &
    exec 8>/tmp/answers 9</tmp/orders
    while read -r -u 9 command && [[ $command != end ]]; do
        say "$command"
        # Not in a subshell: clients started here are to live. Not in a condition: errexit stays.
        eval "$command" >/tmp/result 2>&1
        cat /tmp/result
        { cat /tmp/result && echo end-of-answer; } >&8
    done
    [[ $command == end ]] || last_words >&7 2>&1 # the server's script ended first, or its power was cut
    echo end-of-answer >&8
    trap - EXIT
    exec 7>&- 8>&- 9<&-
}

# wrote CLIENT NAME N: has the blast of the scripted client NAME in client VM CLIENT completed N writes? For wait_for.
wrote() {
    (($(on "$1" "script_writes $2") >= $3))
}

obey_end() {
    local i
    for i in $(seq "$IOPMEM_CLIENTS"); do
        on "$i" end >/dev/null
    done
}

# log_mark: from here on log_has and log_since look at the server's log.
log_mark() {
    log_from=$(($(wc -c <"$server_log") + 1))
}

log_since() {
    tail -c "+${log_from:-1}" "$server_log"
}

log_has() {
    log_since | has_line -- "$1"
}
