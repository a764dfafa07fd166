#!/bin/sh
# packages.sh PACKAGE...: installs the Debian packages that are missing, and only those. Needs root only if any is.
set -eu

command -v dpkg-query >/dev/null 2>&1 || {
    echo "This is no Debian: see to it that you have what these packages hold: $*" >&2
    exit 0
}

missing=
for package in "$@"; do
    # shellcheck disable=SC2016 # the variable is dpkg's
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "Missing:$missing. Install them as root: apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive
apt="apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0"
echo "Installing:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A daemon that a package starts would outlive the tests; where it is wanted, the tests start it themselves.
# shellcheck disable=SC2086 # words on purpose
if ! { $apt update && RUNLEVEL=1 $apt install --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "apt-get could not install$missing; its last lines are above." >&2
    exit 1
fi
