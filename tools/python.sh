#!/bin/sh
# Prints a Python that ansible-core 2.19 runs on: $PYTHON if it is set, else the first that fits.
set -eu

fits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1
}

for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
    if fits "$candidate"; then
        command -v "$candidate"
        exit 0
    fi
done

if [ -n "${PYTHON:-}" ]; then
    echo "PYTHON=$PYTHON: not Python 3.11, 3.12 or 3.13. Name one that is, or leave PYTHON unset." >&2
else
    echo "Python 3.11, 3.12 or 3.13 is not to be found. Install one (on Debian: apt-get install python3), or set PYTHON." >&2
fi
exit 1
