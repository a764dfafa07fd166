#!/usr/bin/env bash
# sections.sh TARGET...: makes each target under a heading, goes on when one fails, and says at the end which did.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

failed=()
summary=()
for target in "$@"; do
    printf '\n======== %s ========\n' "$target"
    began=$SECONDS
    if "${MAKE:-make}" --no-print-directory "$target"; then
        result=passed
    else
        result=FAILED
        failed+=("$target")
    fi
    summary+=("$(printf '%-12s %s  %4d s' "$target" "$result" $((SECONDS - began)))")
done

printf '\n======== summary ========\n'
printf '%s\n' "${summary[@]}"
if [ ${#failed[@]} -gt 0 ]; then
    # shellcheck disable=SC2016 # the backquotes are for the reader
    printf 'Failed: %s. See above, under the heading of that name; `make %s` runs it alone.\n' "${failed[*]}" "${failed[0]}"
    exit 1
fi
