# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

import pytest

#: Directives of the plugins that the real image has, as far as the template uses them.
DIRECTIVES = {"acl", "cache", "errors", "file", "forward", "health", "hosts", "log", "loop", "ready"}


@pytest.fixture
def zone(resolved, text_of):
    """Renders the zone file and gives its records: a type and a value by name."""

    def make(changes=None, **deployment):
        text = text_of(resolved(changes, **deployment)["coredns"], "provisioning.zone")
        found = re.findall(r"^(\S+) IN (A|AAAA|CNAME) (\S+)$", text, re.M)
        assert len(found) == len({name for name, _, _ in found}), "a name stands twice"
        return {name: (kind, value) for name, kind, value in found}

    return make


@pytest.fixture
def corefile(resolved, text_of):
    return lambda changes=None, **deployment: text_of(resolved(changes, **deployment)["coredns"], "Corefile")


def test_every_service_has_a_name_and_the_well_known_ones_an_alias(zone):
    records = zone()
    for name in (
        "orchestrator",
        "control-center",
        "coredns",
        "gitea",
        "oci-registry",
        "mcp-server",
        "api-gateway",
        "ns",
    ):
        assert records[name] == ("A", "127.0.0.1")
    assert {name: value for name, (kind, value) in records.items() if kind == "CNAME"} == {
        "api": "api-gateway",
        "dns": "coredns",
        "git": "gitea",
        "mcp": "mcp-server",
        "registry": "oci-registry",
        "ui": "control-center",
    }


def test_a_service_that_is_not_installed_has_no_name(zone):
    assert not {"gitea", "git"} & set(zone({"gitea": {"enabled": False}}))


@pytest.mark.parametrize(
    ("bind_address", "address", "expected"),
    [
        ("127.0.0.1", "", ("A", "127.0.0.1")),
        ("192.0.2.7", "", ("A", "192.0.2.7")),
        ("0.0.0.0", "", ("A", "127.0.0.1")),
        ("0.0.0.0", "192.0.2.7", ("A", "192.0.2.7")),
        ("::1", "", ("AAAA", "::1")),
        ("::", "", ("AAAA", "::1")),
        ("::", "2001:db8::7", ("AAAA", "2001:db8::7")),
    ],
)
def test_the_zone_gives_the_address_of_the_host(zone, bind_address, address, expected):
    records = zone({"coredns": {"variables": {"address": address}}}, bind_address=bind_address)
    assert records["gitea"] == records["@"] == records["ns"] == expected


def test_records_of_the_owner_win_over_services_and_aliases(zone):
    records = zone(
        {"coredns": {"variables": {"records": {"gitea": "192.0.2.1", "ui": "192.0.2.2", "nas": "192.0.2.3"}}}}
    )
    assert [records[name] for name in ("gitea", "ui", "nas")] == [("A", f"192.0.2.{n}") for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("url", "expected"),
    [("https://192.0.2.5:8443", ("A", "192.0.2.5")), ("https://git.example.com", ("CNAME", "git.example.com."))],
)
def test_a_service_that_runs_elsewhere_has_its_own_address(zone, url, expected):
    assert zone({"gitea": {"mode": "remote", "deployment": {"remote": {"url": url}}}})["gitea"] == expected


def test_the_serial_is_left_to_the_host_which_lets_it_rise(resolved, text_of):
    text = text_of(resolved()["coredns"], "provisioning.zone")
    (soa,) = re.findall(r"^@ IN SOA .*$", text, re.M)
    assert "( ${serial} " in soa
    assert text.count("${serial}") == 1


def test_the_corefile_has_only_directives_that_there_are_and_balanced_blocks(corefile):
    text = corefile({"coredns": {"variables": {"log_queries": True}}})
    lines = [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    assert {line.split()[0] for line in lines if re.match(r"    \w", line)} <= DIRECTIVES
    assert text.count("{") == text.count("}") == 7
    assert len(re.findall(r"^    health ", text, re.M)) == 1, "health works in one server block only"


def test_the_corefile_listens_on_the_ports_of_the_definition(corefile):
    text = corefile({"coredns": {"port": 5353, "ports": {"health": 9180}}})
    assert re.findall(r"^(\S+) \{$", text, re.M) == [
        "provisioning.local:5353",
        "health.provisioning.local:5353",
        ".:5353",
    ]
    assert re.search(r"^    health :9180$", text, re.M)
    assert re.search(r"^    ready :8181$", text, re.M)


def test_other_names_are_forwarded_for_allowed_networks_alone(corefile):
    variables = {"upstream": ["192.0.2.53", "192.0.2.54"], "allowed_networks": ["10.0.0.0/8"]}
    text = corefile({"coredns": {"variables": variables}})
    assert re.search(r"^    forward \. 192\.0\.2\.53 192\.0\.2\.54 \{$", text, re.M)
    assert re.search(r"^        allow net 10\.0\.0\.0/8\n        block$", text, re.M)
