from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._config_files import file_digest, fill_serial
from ansible_collections.provisioning.platform.plugins.module_utils._model import ConfigFile

ZONE = "@ IN SOA ns.x. host.x. ( ${serial} 3600 600 604800 60 )\nns IN A {address}\n"
NOW = 1_700_000_000.9


def zone(serial, address="127.0.0.1"):
    return ZONE.replace("${serial}", str(serial)).replace("{address}", address)


WANTED = ZONE.replace("{address}", "127.0.0.1")


@pytest.mark.parametrize(
    ("existing", "serial"),
    [
        (None, 1_700_000_000),
        (zone(1_600_000_000), 1_600_000_000),  # nothing else changed, so it stays
        (zone(1_600_000_000, "10.0.0.1"), 1_700_000_000),
        (zone(1_800_000_000, "10.0.0.1"), 1_800_000_001),  # the clock went back
        (zone(2_026_010_199, "10.0.0.1"), 2_026_010_200),  # dates as serials, by another hand
        (zone(4_294_967_295, "10.0.0.1"), 4_294_967_295),  # it cannot rise any more
        ("", 1_700_000_000),
        ("something else 5000000000", 1_700_000_000),
        ("@ IN SOA a. b. (\n  1900000000 ; serial\n 1 )\n", 1_900_000_001),
        ("@ IN SOA a. b. (\n ; serial\n  1900000000\n 1 )\n", 1_900_000_001),
    ],
)
def test_a_serial_stays_while_nothing_changes_and_rises_otherwise(existing, serial):
    assert fill_serial(WANTED, existing, NOW) == zone(serial)


def test_writing_again_changes_nothing():
    once = fill_serial(WANTED, None, NOW)
    assert fill_serial(WANTED, once, NOW + 60) == once


def test_a_text_without_a_serial_is_left_alone():
    assert fill_serial("a (b) [c", "x", NOW) == "a (b) [c"


def test_a_serial_that_stands_twice_is_one():
    assert fill_serial("${serial} ${serial}\n", None, NOW) == "1700000000 1700000000\n"
    assert fill_serial("${serial} ${serial}\n", "5 5\n", NOW) == "5 5\n"
    assert fill_serial("${serial} ${serial}\n", "5 6\n", NOW) == "1700000000 1700000000\n"


def test_a_digest_is_of_path_permissions_and_text_in_any_order():
    one, other = ConfigFile(dest="/a", content="${serial} ${secret.x.y}"), ConfigFile(dest="/b", content="b")
    digest = file_digest([one, other])
    assert digest == file_digest([other, one])
    assert len(digest) == 64
    changed = [
        ConfigFile(dest="/c", content=one.content),
        ConfigFile(dest="/a", content="x"),
        ConfigFile(dest="/a", content=one.content, mode="0644"),
    ]
    assert len({digest, file_digest([one]), *(file_digest([file, other]) for file in changed)}) == 5
