# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A private apt beside the machine's own, with the machine's mirrors and keys. Source base.sh first.

# Prints the URI of the machine's own apt source for a suite. apt reads both source formats for us.
# A suite that the machine does not have (backports) comes from where the release itself comes from.
mirror_of() {
    local suite=$1 codename=$2 want uri targets host
    # shellcheck disable=SC2016
    targets=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' | sort -u)
    # shellcheck source=/dev/null
    host=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    local candidates=("$suite")
    case $suite in
    *-security) candidates+=("stable-security" "$host-security") ;;
    *) candidates+=("$codename" stable "$host") ;;
    esac
    for want in "${candidates[@]}"; do
        uri=$(awk -v r="$want" '$1 == r { print $2; exit }' <<<"$targets")
        [[ -n $uri ]] && echo "$uri" && return
    done
    fail "the machine's apt sources have no mirror for $suite (looked for: ${candidates[*]})"
}

# Prints the keyring file that the machine names for a URI (Signed-By: or signed-by=), or Debian's own: apt's
# indextargets does not tell it.
keyring_of() {
    local uri=${1%/} keyring
    keyring=$(cat /etc/apt/sources.list.d/*.sources 2>/dev/null | awk -v RS= -v uri="$uri" '
        index($0, uri) && match($0, /Signed-By:[ \t]*\/[^ \t\n]+/) {
            path = substr($0, RSTART, RLENGTH); sub(/^[^\/]*/, "", path); print path; exit }')
    [[ -n $keyring ]] || keyring=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
        grep -F -- "$uri" | sed -n 's/.*signed-by=\([^] ,]*\).*/\1/p' | head -n1) || true
    [[ -f $keyring ]] || keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "$keyring"
}

# A private apt: own sources, lists, status and archives. Of the machine's configuration only Acquire:: (proxies,
# time-outs, checks) is taken over, so that no hook of the machine runs.
write_apt_conf() {
    local apt=$1
    mkdir -p "$apt"/{lists/partial,archives/partial,parts,log}
    cp /var/lib/dpkg/status "$apt/status"
    apt-config dump | grep '^Acquire::' >"$apt/acquire.conf" || true
    {
        cat "$apt/acquire.conf"
        echo "Dir::Etc::parts \"$apt/parts\";"
        echo "Dir::Etc::main \"/dev/null\";"
        echo "Dir::Etc::sourcelist \"$apt/sources.list\";"
        echo "Dir::Etc::sourceparts \"$apt/parts\";"
        echo "Dir::Etc::preferences \"/dev/null\";"
        echo "Dir::Etc::preferencesparts \"$apt/parts\";"
        echo "Dir::State \"$apt\";"
        echo "Dir::State::lists \"$apt/lists\";"
        echo "Dir::State::status \"$apt/status\";"
        echo "Dir::Cache \"$apt\";"
        echo "Dir::Cache::archives \"$apt/archives\";"
        echo "Dir::Log \"$apt/log\";"
        echo "APT::Architecture \"amd64\";"
        echo "APT::Architectures { \"amd64\"; \"arm64\"; };"
        echo "APT::Sandbox::User \"root\";"
        echo "Acquire::Retries \"3\";"
    } >"$apt/apt.conf"
}
