# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services each profile installs, and whether the installation fails without them."""

from __future__ import annotations

from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import Profile

_REQUIRED, _OPTIONAL = True, False

_SOLO = {
    "orchestrator": _REQUIRED,
    "control-center": _REQUIRED,
    "api-gateway": _REQUIRED,
    "mcp-server": _OPTIONAL,
    "coredns": _OPTIONAL,
    "gitea": _OPTIONAL,
    "oci-registry": _OPTIONAL,
}
_MULTI_USER = {**_SOLO, "gitea": _REQUIRED, "postgres": _REQUIRED}
_CICD = {**_MULTI_USER, "oci-registry": _REQUIRED, "api-server": _REQUIRED}
_ENTERPRISE = {
    **_CICD,
    "coredns": _REQUIRED,
    "prometheus": _REQUIRED,
    "alertmanager": _REQUIRED,
    "grafana": _REQUIRED,
    "loki": _OPTIONAL,
    "tempo": _OPTIONAL,
    "openbao": _OPTIONAL,
}

#: By profile: each of its services, and whether it is required.
PROFILES: dict[Profile, dict[str, bool]] = {
    "solo": _SOLO,
    "multi-user": _MULTI_USER,
    "cicd": _CICD,
    "enterprise": _ENTERPRISE,
}
