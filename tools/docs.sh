#!/usr/bin/env bash
# docs.sh: ansible-doc renders every module, plugin and role of the collection, by its full name, without a warning.
set -euo pipefail
cd "$(dirname "$0")/.."
collection=provisioning.platform

names_in() { # FOLDER: names of what stands in it
    find "$1" -mindepth 1 -maxdepth 1 \( -name '[a-z]*.py' -o -type d -name '[a-z]*' \) -printf '%f\n' 2>/dev/null |
        sed "s/\.py\$//; s/^/$collection./" | sort
}

render() { # TYPE FOLDER
    local names rendered
    mapfile -t names < <(names_in "$2")
    [ ${#names[@]} -gt 0 ] || return 0
    rendered=$(ansible-doc --type "$1" "${names[@]}" 2>&1) || { echo "$rendered"; return 1; }
    for name in "${names[@]}"; do
        grep -qF "$name" <<<"$rendered" || { echo "ansible-doc --type $1 $name renders nothing" >&2; return 1; }
    done
    if grep -E '^\[?(WARNING|ERROR)' <<<"$rendered"; then return 1; fi
    echo "$1: ${#names[@]} rendered"
}

render module plugins/modules
render callback plugins/callback
render lookup plugins/lookup
render role roles
# A file of filters may hold several: each has its documentation under its own name.
mapfile -t filters < <(ansible-doc --type filter --list "$collection" 2>/dev/null | awk '{print $1}')
if [ ${#filters[@]} -gt 0 ]; then
    ansible-doc --type filter "${filters[@]}" >/dev/null
    echo "filter: ${#filters[@]} rendered"
fi
