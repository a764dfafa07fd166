# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.identity import LONGEST_NAME, platform_name


def name(**known):
    return platform_name(**{"project": "p", "domain": "localhost", "work_dir": "~/w", "controller": "box", **known})


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, "p@box:~/w"),
        ({"domain": "127.0.0.1"}, "p@box:~/w"),
        ({"hosts": ["localhost"]}, "p@box:~/w"),
        ({"hosts": ["web2", "web1"]}, "p@web1,web2:~/w"),
        ({"domain": "p.example.com", "hosts": ["web1"]}, "p@p.example.com:~/w"),
        ({"project": "q", "work_dir": "/srv"}, "q@box:/srv"),
    ],
)
def test_a_platform_is_called_by_its_project_its_place_and_its_work_dir(known, expected):
    assert name(**known) == expected


def test_a_long_name_is_cut_and_still_its_own():
    hosts = [f"host-{number}.example.com" for number in range(100)]
    one, other = name(hosts=hosts), name(hosts=hosts[:-1])
    assert len(one) == len(other) == LONGEST_NAME
    assert one != other
