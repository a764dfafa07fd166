#!/bin/sh
# image.sh: builds the image of the platform's own services from this checkout. Its settings are environment variables:
#   BASE     the image to build upon, with Python 3.11 or newer and pip; python:3.13-slim by default
#   IMAGE    what to call it; localhost/provisioning-platform:VERSION by default, which is what the roles look for
#   ENGINE   docker (default) or podman
#   OFFLINE  true: take what the wheel needs from here, so that the build needs no network. The base must then have the
#            Python version of this environment.
set -eu
cd "$(dirname "$0")/.."

version=$(sed -n 's/^version: //p' galaxy.yml)
image=${IMAGE:-localhost/provisioning-platform:$version}
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT

python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$context" .
arguments=
if [ "${OFFLINE:-}" = true ]; then
    python -m pip download --quiet --disable-pip-version-check --dest "$context" \
        "$(echo "$context"/provisioning_platform-*.whl)[services]"
    arguments=--no-index
fi
set -- --file containers/Containerfile --tag "$image" --build-arg "INSTALLER_ARGUMENTS=$arguments"
[ -z "${BASE:-}" ] || set -- "$@" --build-arg "BASE=$BASE"
"${ENGINE:-docker}" build "$@" "$context"
echo "Built $image"
