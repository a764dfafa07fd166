#!/bin/sh
# install.sh FOLDER run|dev: makes the virtual environment and installs the project in it, if anything has changed.
#   run  the package as users get it, with what the platform's own services need
#   dev  all that tests, linters and types need, and a link to the sources, so that every change is there at once
set -eu
cd "$(dirname "$0")/.."
venv=$1
kind=$2
stamp=$venv/.installed

tools/venv.sh "$venv"

case $kind in
run) sources="pyproject.toml hatch_build.py galaxy.yml requirements.txt README.md examples meta playbooks plugins python roles" ;;
dev) sources="pyproject.toml hatch_build.py galaxy.yml" ;;
*) echo "install.sh: $kind is neither run nor dev" >&2; exit 2 ;;
esac
# Content, not time: a checkout of another branch and back changes times alone.
# shellcheck disable=SC2086 # words on purpose
now=$(find $sources -type f ! -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
if [ "$(cat "$stamp" 2>/dev/null)" = "$now" ]; then
    exit 0
fi

echo "Installing the project in $venv"
rm -f "$stamp"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
case $kind in
run) set -- '.[services]' ;;
dev) set -- --editable '.[dev]' ;;
esac
if ! "$venv/bin/python" -m pip install --disable-pip-version-check --no-input "$@" >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "pip could not install the project in $venv; its last lines are above." >&2
    exit 1
fi
echo "$now" >"$stamp"
