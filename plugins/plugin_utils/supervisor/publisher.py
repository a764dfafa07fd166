# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishing what the supervisor knows: on a port for Prometheus, and as a file for node-exporter."""

from __future__ import annotations

import contextlib
import pkgutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, PrerequisiteError
from ansible_collections.provisioning.platform.plugins.module_utils._metrics import (
    ServiceSample,
    Snapshot,
    render_for_file,
)
from ansible_collections.provisioning.platform.plugins.module_utils._metrics_server import MetricsServer
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._state import StateStore
from ansible_collections.provisioning.platform.plugins.module_utils._status import status_of
from ansible_collections.provisioning.platform.plugins.module_utils._textfile import remove_textfile, write_textfile
from ansible_collections.provisioning.platform.plugins.plugin_utils.installation_metrics import LastInstallation
from ansible_collections.provisioning.platform.plugins.plugin_utils.supervisor.loop import Supervisor
from ansible_collections.provisioning.platform.plugins.plugin_utils.supervisor.tally import Counted

_SECONDS_BETWEEN_FILES = 15.0
_PACKAGE = "ansible_collections.provisioning.platform"


class Publisher:
    """Publishes for as long as the block runs. What cannot be published is told, and keeps nobody from supervising.

    :param metrics: ``deployment.metrics`` as JSON types: port, bind_address, textfile.
    :param tell: told what cannot be published.
    """

    def __init__(
        self, supervisor: Supervisor, layout: WorkDir, metrics: dict[str, Any], tell: Callable[[str], None]
    ) -> None:
        self._supervisor = supervisor
        self._states = StateStore(layout)
        self._last_installation = LastInstallation(layout)
        self._metrics = metrics
        self._tell = tell
        self._started_at = time.time()
        self._version = version()
        self._ending = threading.Event()
        self._lock = threading.Lock()  # a snapshot is made in the thread of the server and in that of the file
        self._server: MetricsServer | None = None
        self._writer: threading.Thread | None = None

    def __enter__(self) -> Publisher:
        port, textfile = self._metrics.get("port"), self._metrics.get("textfile")
        if port is not None:
            server = MetricsServer(str(self._metrics.get("bind_address") or "127.0.0.1"), int(port), self.snapshot)
            try:
                server.start()
                self._server = server
            except PrerequisiteError as error:
                self._tell(str(error))
        if textfile is not None:
            self._writer = threading.Thread(target=self._write, args=(Path(textfile),), name="textfile", daemon=True)
            self._writer.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ending.set()
        if self._server is not None:
            self._server.stop()
        if self._writer is not None:
            self._writer.join()
            with contextlib.suppress(PrerequisiteError):
                remove_textfile(Path(self._metrics["textfile"]))

    def snapshot(self) -> Snapshot:
        """Return what is known now."""
        with self._lock:
            known = self._supervisor.tally.copy()
            samples = [self._sample(name, counted) for name, counted in known.items() if counted.observation]
            return Snapshot(
                publisher="supervisor",
                version=self._version,
                started_at=self._started_at,
                observed_at=self._supervisor.tally.observed_at,
                services=[sample for sample in samples if sample is not None],
                installation=self._last(),
            )

    def _sample(self, name: str, counted: Counted) -> ServiceSample | None:
        try:
            service = self._supervisor.definition(name)
        except ConfigurationError:  # it has just been removed
            return None
        state = None
        with contextlib.suppress(ConfigurationError):  # it is damaged
            state = self._states.read(name)
        return ServiceSample(
            status=status_of(service, counted.observation, None, state, counted.result),
            up=counted.phase in ("healthy", "starting", "new") if counted.phase != "idle" else None,
            state_changed_at=counted.changed_at,
            checked_at=counted.checked_at,
            start_duration_s=counted.start_duration_s,
            restarts=counted.restarts,
            supervision=counted.phase,
            is_flapping=counted.is_flapping,
        )

    def _last(self) -> Any:
        try:
            return self._last_installation.read()
        except (OSError, ValueError, KeyError):  # it is being written, or belongs to somebody else
            return None

    def _write(self, path: Path) -> None:
        said = ""
        while True:
            try:
                write_textfile(path, render_for_file(self.snapshot()))
                said = ""
            except PrerequisiteError as error:
                if str(error) != said:  # once, and not every quarter of a minute
                    said = str(error)
                    self._tell(said)
            if self._ending.wait(_SECONDS_BETWEEN_FILES):
                return


def version() -> str:
    """Return the version of the collection that this program was made of; empty where it was not packed."""
    try:
        return (pkgutil.get_data(_PACKAGE, "VERSION") or b"").decode()
    except OSError:
        return ""
