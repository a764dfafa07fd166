# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Sphinx builds the site; tools/site.sh gathers its pages."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

project = "provisioning.platform"
html_title = project
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
extensions = ["myst_parser", "sphinx_antsibull_ext"]
nitpicky = True
smartquotes = False  # quotes are part of commands and settings
# The names that Git hosts give to headings.
myst_heading_anchors = 4
# What blocks of code on our pages call themselves.
highlight_language = "none"

_CONTENTS = re.compile(r"^\.\. contents::\n(?: +:\w+:.*\n)*", re.MULTILINE)
_ENTRY = re.compile(r"^( +)(\w+)_(module|callback|filter|lookup|role)$", re.MULTILINE)
_ANSIBLE = "https://docs.ansible.com/projects/ansible/latest/"
# Pages of Ansible's own documentation that references point to, by their labels.
_PAGES_OF_ANSIBLE = {
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "callback_plugins": "plugins/callback.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}


def link_to_ansible(
    _app: Sphinx, _env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.reference | None:
    """Lead to Ansible's documentation where Ansible is what a reference is about."""
    page = _PAGES_OF_ANSIBLE.get(str(node["reftarget"]))
    return nodes.reference("", "", content, internal=False, refuri=_ANSIBLE + page) if page else None


def shorten(_app: Sphinx, page: str, text: list[str]) -> None:
    """Leave out a reference's table of contents, as the theme shows one beside it; shorten the names in the menu."""
    if page.startswith("reference/"):
        text[0] = _ENTRY.sub(r"\1\2 \3 <\2_\3>", _CONTENTS.sub("", text[0]))


def setup(app: Sphinx) -> None:
    """Have Sphinx call what is above."""
    app.connect("missing-reference", link_to_ansible)
    app.connect("source-read", shorten)
