# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server's HTTP interface: what the orchestrator tells, as a JSON API for pipelines and programs."""

from __future__ import annotations

from ..guard import Guard
from ..options import Options
from ..sources import Source
from .view_api import view_api


def application(options: Options, source: Source | None = None) -> Guard:
    """Make the application.

    :param options: how it is to run.
    :param source: what it looks at; by default the orchestrator, or the work dir, that the options name.
    """
    return view_api(
        options,
        source,
        title="Provisioning API",
        summary="The platform for pipelines and programs: its services, their status and their dependencies.",
    )
