#!/bin/sh
# venv.sh FOLDER: makes a virtual environment unless a working one is there.
set -eu
cd "$(dirname "$0")/.."
venv=$1

if "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    exit 0
fi

python=$(tools/python.sh)
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    # Debian keeps this part of Python in a package of its own.
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    tools/packages.sh "$package"
    "$python" -c 'import ensurepip, venv' || {
        echo "$python lacks its modules venv and ensurepip. Install them, or set PYTHON to a complete Python." >&2
        exit 1
    }
fi
echo "Making $venv with $python"
"$python" -m venv --clear "$venv"
