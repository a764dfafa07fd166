#!/usr/bin/env bash
# sanity.sh: runs ansible-test sanity over what the collection ships, from the working tree as it is.
# It wants a git checkout below ansible_collections/NAMESPACE/NAME and follows links, so it gets a copy without the farm.
# Its own virtual environments stay in .cache/sanity, so that only the first run has to make them.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
python=$1
shift
home=$root/.cache/sanity
copy=$home/ansible_collections/provisioning/platform

rm -rf "$copy"
mkdir -p "$copy" "$home/.config/pip" "$home/.ansible/test/cache"
git -c safe.directory="$root" ls-files -z --cached --others --exclude-standard -- \
    CHANGELOG.md LICENSE README.md changelogs galaxy.yml meta playbooks plugins requirements.txt roles tests/sanity tests/config.yml \
    ':!playbooks/collections' |
    while IFS= read -r -d '' file; do [ -e "$file" ] && printf '%s\0' "$file"; done |
    tar --create --null --files-from=- | tar --extract --directory="$copy"
git -C "$copy" init -q
git -C "$copy" add -A

# ansible-test hands neither pip's environment variables nor the user's pip configuration on: write both down.
"$python" "$root/tools/pip_settings.py" >"$home/.config/pip/pip.conf"
# It starts each virtual environment with a script from the network; what Python itself brings does as well.
cat >"$home/.ansible/test/cache/get_pip_24_2.py" <<'EOF'
import ensurepip

ensurepip.bootstrap(upgrade=True, default_pip=True)
EOF

cd "$copy"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
HOME=$home XDG_CONFIG_HOME=$home/.config PATH=$(dirname "$python"):$PATH \
    "$(dirname "$python")/ansible-test" sanity --python "$version" --color no "$@"
