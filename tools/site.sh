#!/usr/bin/env bash
# site.sh [FOLDER]: builds the pages for users, and the references of modules, plugins and roles, as a site in FOLDER
# (build/site). Needs no network. A link that leads nowhere, or anything else that is worth a warning, is an error.
set -euo pipefail
cd "$(dirname "$0")/.."
site=$(realpath --canonicalize-missing "${1:-build/site}")
collection=provisioning.platform

pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT
# Where they lie in the repository, so that links between them lead to the same places.
roles=$(cd roles && for page in */README.md; do echo "${page%/*} <roles/${page%.md}>"; done)
awk -v roles="$roles" '{ print $0 == "@roles@" ? roles : $0 }' tools/site/index.md >"$pages/index.md"
cp --parents docs/*.md CHANGELOG.md LICENSE roles/*/README.md roles/*/meta/service.yml examples/kubernetes/*.yml examples/monitoring/* "$pages"
# Where a Git host shows the folder, a site has none.
# shellcheck disable=SC2016 # the backquotes are those of the pages
sed -i 's|\[\(`examples/[a-z]*`\)\](\.\./examples/[a-z]*)|\1|g' "$pages"/docs/*.md

mkdir "$pages/reference"
said=$(ANSIBLE_COLLECTIONS_PATH="$PWD/playbooks/collections" antsibull-docs --config-file tools/site/antsibull-docs.cfg \
    collection --use-current --squash-hierarchy --fail-on-error --dest-dir "$pages/reference" "$collection" 2>&1) ||
    { echo "$said" >&2; exit 1; }

rm -rf "$site"
sphinx-build --quiet --fail-on-warning --keep-going --jobs auto --builder html --conf-dir tools/site \
    --doctree-dir "$pages/.doctrees" "$pages" "$site"
rm -f "$site/.buildinfo" "$site/objects.inv"
echo "site: $(find "$site" -name '*.html' | wc -l) pages in ${site#"$PWD/"}"
