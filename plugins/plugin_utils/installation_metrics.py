# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the last installation stands or ended, for metrics: from its journal, or from the record of what is installed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils import _events as kinds
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event, Journal
from ansible_collections.provisioning.platform.plugins.module_utils._ledger import generation_path
from ansible_collections.provisioning.platform.plugins.module_utils._metrics import (
    InstallationSample,
    Result,
    Snapshot,
    render,
)
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._textfile import installation_file, write_textfile
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.payload import RunProgress, advance

PUBLISHER = "installer"
Stamp = tuple[str, int, int]


class InstallationProgress:
    """What the events of a run say of it so far."""

    def __init__(self) -> None:
        self.sample: InstallationSample | None = None
        self._progress = RunProgress()

    def take(self, event: Event) -> bool:
        """Take one more event in; return whether it changed anything."""
        before = self.sample
        self._progress, _payload = advance(self._progress, event)
        if event.kind == kinds.RUN_STARTED:
            self.sample = InstallationSample(
                installation_id=self._progress.installation_id,
                result="running",
                progress=0.0,
                started_at=event.time,
                platform=str(event.data.get("platform") or ""),
                profile=str(event.data.get("mode") or ""),
            )
        elif self.sample is not None:
            self.sample = dataclasses.replace(
                self.sample,
                progress=self._progress.progress / 100,
                current_step=self._progress.current_step or "",
            )
            if event.kind in kinds.RUN_ENDINGS:
                self.sample = dataclasses.replace(
                    self.sample, result=_result(event), finished_at=event.time, current_step=""
                )
        return self.sample != before


class LastInstallation:
    """The last installation that a work dir knows of; looked for anew only when something was written.

    The journal is on the machine that ran the installation. Where that was another one, the record of what is installed
    says when it was completed, and nothing of those that failed.
    """

    def __init__(self, layout: WorkDir) -> None:
        self._layout = layout
        self._stamp: Stamp | None = None
        self._sample: InstallationSample | None = None

    def read(self) -> InstallationSample | None:
        """Return how it stands; nothing where there was none.

        :raises OSError: its journal is there and cannot be read.
        """
        newest = max(self._stamps(), key=lambda stamp: stamp[1], default=None)
        if newest != self._stamp:
            self._stamp = newest
            self._sample = None if newest is None else self._sample_of(Path(newest[0]))
        return self._sample

    def _stamps(self) -> Iterable[Stamp]:
        for pattern in ("*/events.jsonl", "current"):
            for path in self._layout.installations.glob(pattern):
                try:
                    found = path.stat()
                except FileNotFoundError:
                    continue
                yield str(path), found.st_mtime_ns, found.st_size

    def _sample_of(self, path: Path) -> InstallationSample | None:
        if path.name != "current":
            progress = InstallationProgress()
            for event in Journal(path).read():
                progress.take(event)
            return progress.sample
        identity = path.read_text(encoding="utf-8").strip()
        journal = path.parent / identity / "events.jsonl"
        if journal.exists():
            return self._sample_of(journal)
        record = generation_path(self._layout, identity)
        ended = record.stat().st_mtime if record.exists() else None
        return InstallationSample(installation_id=identity, result="completed", progress=1.0, finished_at=ended)


class InstallationFile:
    """Writes how an installation stands into a file for node-exporter, beside that of the supervisor.

    :param textfile: ``deployment.metrics.textfile``.
    :param version: of who installs.
    """

    def __init__(self, textfile: Path, version: str) -> None:
        self.path = installation_file(textfile)
        self._version = version
        self._progress = InstallationProgress()

    def take(self, event: Event) -> None:
        """Take one more event in, and write the file where that changes it.

        :raises PrerequisiteError: it cannot be written.
        """
        if self._progress.take(event):
            snapshot = Snapshot(publisher=PUBLISHER, version=self._version, installation=self._progress.sample)
            write_textfile(self.path, render(snapshot))


def _result(event: Event) -> Result:
    if event.kind == kinds.RUN_COMPLETED:
        return "degraded" if event.data.get("degraded") else "completed"
    return "cancelled" if event.kind == kinds.RUN_CANCELLED else "failed"
