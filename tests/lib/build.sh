# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Builds the user-space part. Source base.sh first; the caller sets $repo.

# build_user DIR [CMAKE-ARGUMENT...]: configures and builds into DIR, quietly unless it fails.
build_user() {
    local dir=$1
    shift
    mkdir -p "$dir"
    {
        cmake -S "$repo" -B "$dir" "$@" && cmake --build "$dir" --parallel "$(nproc)"
    } >"$dir/build.log" 2>&1 || {
        {
            grep -E 'error|Error|warning' "$dir/build.log" | awk 'NR <= 30'
            echo "---- last lines of $dir/build.log"
            tail -n 30 "$dir/build.log"
        } >&2 || true
        fail "the build failed, whole log: $dir/build.log"
    }
}
