# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.module_utils._module import work_dir_of


def test_a_work_dir_with_a_variable_that_has_no_value_is_refused_and_not_looked_for_elsewhere() -> None:
    module: Any = SimpleNamespace(params={"work_dir": "${NOT_SET_ANYWHERE}/work"})
    with pytest.raises(ConfigurationError, match=r"work_dir: .*NOT_SET_ANYWHERE.* cannot be the work dir"):
        work_dir_of(module)
