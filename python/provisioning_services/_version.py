# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version of the package that is running."""

from __future__ import annotations

import functools


@functools.cache
def version() -> str:
    """Return the version of the installed package; ``0+checkout`` where it runs without being installed."""
    from importlib import metadata

    try:
        return metadata.version("provisioning-platform")
    except metadata.PackageNotFoundError:
        return "0+checkout"
