# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``provisioning-api-server``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .options import Options, parse

if TYPE_CHECKING:
    from .guard import Guard


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the API server.

    :param arguments: those of the command line by default.
    :raises SystemExit: always, with the exit code.
    """
    options = parse(
        "api-server",
        sys.argv[1:] if arguments is None else arguments,
        os.environ,
        description="Serve the platform as a JSON API for pipelines and programs.",
        port=8083,
        asks_orchestrator=True,
    )
    from .server import serve

    sys.exit(serve(options, _build))


def _build(options: Options) -> Guard:
    from .apps.api_server import application

    return application(options)
