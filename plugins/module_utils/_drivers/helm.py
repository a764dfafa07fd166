# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that are Helm charts: the part of the mode ``kubernetes`` that is done with the ``helm`` binary.

A release is ours when one of its revisions says so in its description; others are never touched. The digest of what
was asked for is kept there too, so that nothing but the cluster has to be asked what runs.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .._build import to_dict
from .._errors import (
    CancelledRun,
    ConfigurationError,
    DriverError,
    PrerequisiteError,
    Problem,
    ProvisioningError,
    os_problem,
)
from .._events import SERVICE_WARNING
from .._model import KubernetesDeployment, ServiceDefinition
from . import _helm_commands as commands
from . import _helm_process as process
from ._base import ABSENT, Context, Observation
from ._helm_commands import Dialect, Mark, Revision
from ._helm_manifest import masked_manifest
from ._helm_process import Ended
from ._launch import search_path

#: A pending revision may be another helm at work; it is given this long, in seconds, before it counts as left behind.
PATIENCE = 30.0
_POLL = 1.0
#: Seconds beyond Helm's own timeout, of which each of its steps has one, after which it is killed.
_GRACE = 60.0
_NOT_FOUND = "release: not found"
_AGAIN = "Start it again when it is wanted."


class HelmReleases:
    """Installs, looks at and takes away the releases of services whose kubernetes block names a chart.

    :param sleep: waits some seconds.
    :param clock: unix time in seconds.
    """

    def __init__(
        self,
        context: Context,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._context = context
        self._sleep = sleep
        self._clock = clock
        self._dialect: Dialect | None = None

    # Looking

    def check(self, service: ServiceDefinition) -> list[Problem]:
        """Return what keeps a chart from being installed: helm, chart, values, the cluster, a foreign release."""
        try:
            self.dialect(service.name)
            self._run(service, commands.template(service), values=self._values(service, strict=False))
            self._refuse_foreign(service, self.history(service))
        except (DriverError, PrerequisiteError) as error:
            return list(error.problems)
        return []

    def observe(self, services: Sequence[ServiceDefinition]) -> dict[str, Observation]:
        """Return what each release is; whether its pods run is the driver's to look at.

        :raises DriverError: the cluster does not answer.
        :raises PrerequisiteError: there is no helm.
        """
        return {service.name: self._observation(service, self.history(service)) for service in services}

    def dialect(self, service: str) -> Dialect:
        """Return how the helm that is here is spoken to.

        :raises PrerequisiteError: there is none, or one of a version that is not known.
        """
        if self._dialect is None:
            done = self._call(["version", "--template", "{{.Version}}"], timeout=_GRACE, service=service)
            self._dialect = commands.dialect_of(done.stdout) if done.code == 0 else None
            if self._dialect is None:
                said = done.stdout.strip() or commands.error_line(done.stderr)
                why = f"the helm that was found is neither of version 3 nor 4: {said}"
                raise PrerequisiteError(Problem(service, why, "Install one of these."))
        return self._dialect

    def history(self, service: ServiceDefinition) -> list[Revision]:
        """Return the revisions of a service's release, oldest first; none where there is no release.

        :raises DriverError: the cluster does not answer.
        :raises PrerequisiteError: there is no helm.
        """
        done = self._call(commands.history(service), timeout=_GRACE, service=service.name)
        if done.code == 0:
            return commands.read_history(done.stdout, service.name)
        if _NOT_FOUND in done.stderr:
            return []
        raise self._failure(service, "history", done.stderr)

    def names(self, place: ServiceDefinition) -> list[str]:
        """Return the names of the releases, of whomever, that are where a service is.

        :raises DriverError: the cluster does not answer.
        :raises PrerequisiteError: there is no helm.
        """
        block = place.deployment.kubernetes or KubernetesDeployment()
        return commands.read_releases(self._run(place, commands.releases(block)))

    def owner(self, service: ServiceDefinition) -> str | None:
        """Return the service of this installation that a release says it is; None for somebody else's.

        :raises DriverError: the cluster does not answer.
        :raises PrerequisiteError: there is no helm.
        """
        revisions = self.history(service)
        marks = [mark for revision in revisions if (mark := commands.mark_of(revision, revisions)) is not None]
        return next((mark.service for mark in marks if mark.project == self._context.project), None)

    def render(self, service: ServiceDefinition) -> dict[str, Any]:
        """Return what is asked for: chart, values with placeholders, and of a chart in a folder what is in it."""
        chart = commands.chart_of(service)
        document = {
            **to_dict(chart, sparse=True),
            "release": commands.release_of(service),
            "namespace": service.deployment.kubernetes.namespace if service.deployment.kubernetes else None,
            "content": _content_digest(Path(chart.chart)) if chart.chart.startswith("/") else None,
            "secrets": self._context.secrets.versions(chart.values),
        }
        return {key: value for key, value in document.items() if value not in (None, {}, [])}

    def preview(self, service: ServiceDefinition) -> tuple[str, str]:
        """Return the manifests that the cluster was given and those that it would be given.

        The values of secrets are masked, and those in Secrets are told apart by a digest alone.

        :raises DriverError: the chart cannot be rendered, or the cluster does not answer.
        :raises PrerequisiteError: there is no helm.
        """
        wanted = self._run(service, commands.template(service), values=self._values(service, strict=False))
        present = self._run(service, commands.manifest(service)) if self.history(service) else ""
        before, after = (masked_manifest(self._context.secrets.masked(text)) for text in (present, wanted))
        return "".join(f"{line}\n" for line in before), "".join(f"{line}\n" for line in after)

    def objects(self, service: ServiceDefinition, *, hooks: bool = False) -> list[dict[str, Any]]:
        """Return the objects of a release, none where there is none: what to look at, and what to scale.

        :param hooks: those, too, that Helm makes on the way and does not count as the release's.
        :raises DriverError: the cluster does not answer.
        :raises PrerequisiteError: there is no helm.
        """
        if not self.history(service):
            return []
        import yaml  # the client of the API, without which this mode has no use, brings it

        texts = [self._run(service, commands.manifest(service))]
        texts += [self._run(service, commands.hooks(service))] if hooks else []
        documents = [document for text in texts for document in yaml.safe_load_all(text)]
        return [document for document in documents if isinstance(document, dict)]

    def in_progress(self, service: ServiceDefinition) -> int | None:
        """Return the number of the revision that is being brought up; None where none is, or one is taken back.

        :raises DriverError: the cluster does not answer.
        :raises PrerequisiteError: there is no helm.
        """
        revisions = self.history(service)
        return revisions[-1].number if revisions and revisions[-1].is_coming else None

    # Doing

    def start(
        self,
        service: ServiceDefinition,
        observation: Observation,
        digest: str,
        *,
        hopeless: Callable[[], Problem | None] = lambda: None,
    ) -> Observation:
        """Install a release or bring it up to date, and wait until it is ready; what fails is rolled back by Helm.

        A release that was left pending is repaired first.

        :param observation: what it was. What had failed already is not waited for when it is gone back to.
        :param digest: to be kept with the release.
        :param hopeless: asked several times a second while Helm waits; says why it need not wait any longer.
        :raises DriverError: it is somebody else's, the chart is refused, or it does not become ready in time.
        :raises CancelledRun: the run was to stop; what had begun has been taken back.
        :raises ConfigurationError: a secret does not exist.
        """
        values = self._values(service, strict=True)
        revisions = self.repair(service)
        self._refuse_foreign(service, revisions)
        mark = Mark(self._context.project, service.name, digest)
        undoes = observation.status != "failed"
        words = commands.upgrade(service, mark, self.dialect(service.name), undoes=undoes)
        done = self._call(
            words,
            timeout=_patience(service),
            service=service.name,
            given=values,
            until=lambda: self._reason_to_end(service, hopeless),
        )
        if done.code != 0:
            failure = done.interrupted_by or self._failure(service, words[0], done.stderr)
            raise self._taken_back(service, mark, failure, before=revisions, undone=undoes)
        return self._observation(service, self.history(service))

    def repair(self, service: ServiceDefinition, *, patience: float = PATIENCE) -> list[Revision]:
        """Undo what an interrupted helm left pending, and return the revisions that there are then.

        :param patience: seconds after which it counts as left, and nobody as at work on it any more.
        :raises DriverError: it cannot be undone.
        :raises CancelledRun: the run was to stop while somebody else was at work.
        """
        revisions = self._settled(service, patience)
        if not revisions or not revisions[-1].is_pending:
            return revisions
        self._refuse_foreign(service, revisions)
        pending = revisions[-1]
        good = [revision for revision in revisions if revision.was_good]
        if good:
            self._run(service, commands.rollback(service, good[-1].number))
        else:
            self._run(service, commands.uninstall(service))
        done = f"rolled back to revision {good[-1].number}" if good else "uninstalled"
        reason = f"{commands.release_of(service)} was left {pending.status} (revision {pending.number}): {done}"
        self._context.notify(SERVICE_WARNING, service=service.name, reason=reason)
        return self.history(service)

    def stop(self, service: ServiceDefinition, observation: Observation) -> None:  # noqa: ARG002
        """Helm stops nothing: a release is there or it is not.

        :raises DriverError: always, with what can be done.
        """
        why = "is a Helm release, which can be removed and not stopped"
        remedy = f"Scale its workloads to 0, or remove {service.name}."
        raise DriverError(Problem(service.name, why, remedy))

    def remove(self, service: ServiceDefinition, observation: Observation) -> None:  # noqa: ARG002
        """Uninstall a release; what the chart means to keep, and the claims of its StatefulSets, stay.

        :raises DriverError: it is somebody else's, or does not go.
        """
        revisions = self.history(service)
        if not revisions:
            return
        self._refuse_foreign(service, revisions)
        self._run(service, commands.uninstall(service))

    # Helpers

    def _observation(self, service: ServiceDefinition, revisions: Sequence[Revision]) -> Observation:
        if not revisions or revisions[-1].status == "uninstalled":
            return ABSENT
        last = revisions[-1]
        mark = commands.mark_of(last, revisions)
        release = commands.release_of(service)
        told = f"release {release}, revision {last.number}: {last.status}"
        if last.status == "deployed":
            return Observation("running", mark.digest if mark else None, release, last.updated, detail=told)
        if last.is_pending or last.status == "uninstalling":
            return Observation("starting", None, release, last.updated, detail=told)
        detail = f"{told}: {self._context.secrets.masked(last.description)}"
        return Observation("failed", None, release, last.updated, detail=detail)

    def _reason_to_end(
        self, service: ServiceDefinition, hopeless: Callable[[], Problem | None]
    ) -> ProvisioningError | None:
        if self._context.is_cancelled():
            return CancelledRun(Problem(service.name, "helm was interrupted", _AGAIN))
        problem = hopeless()
        return None if problem is None else DriverError(problem)

    def _taken_back(
        self,
        service: ServiceDefinition,
        mark: Mark,
        failure: ProvisioningError,
        *,
        before: Sequence[Revision],
        undone: bool,
    ) -> ProvisioningError:
        """Return what went wrong, with what has become of the release; what is pending or in place yet is undone.

        :param undone: whether Helm itself has done so, as far as it could.
        """
        problem = failure.problems[0]
        try:
            now = self.repair(service, patience=0.0)
            last = commands.last_good(before, but=mark)
            if not undone and last is not None and now and not now[-1].was_good:
                self._run(service, commands.rollback(service, last.number, waits=False))
                now = self.history(service)
        except ProvisioningError as error:
            return type(failure)(problem, *error.problems)
        became = commands.became(before, now)
        return type(failure)(Problem(problem.what, f"{problem.why}; {became}", problem.remedy))

    def _settled(self, service: ServiceDefinition, patience: float) -> list[Revision]:
        """Return the revisions once nobody else is likely to be at work on the release."""
        while True:
            revisions = self.history(service)
            if not revisions or not revisions[-1].is_pending:
                return revisions
            if self._clock() - revisions[-1].updated >= patience:
                return revisions
            if self._context.is_cancelled():
                raise CancelledRun(Problem(service.name, "another helm was at work on the release", _AGAIN))
            self._sleep(_POLL)

    def _refuse_foreign(self, service: ServiceDefinition, revisions: Sequence[Revision]) -> None:
        if not revisions or revisions[-1].status == "uninstalled":
            return
        marks = [mark for revision in revisions if (mark := commands.mark_of(revision, revisions)) is not None]
        if any((mark.project, mark.service) == (self._context.project, service.name) for mark in marks):
            return
        # A first installation that was interrupted, or failed, never got as far as a description.
        if not marks and all(revision.is_pending or revision.status == "failed" for revision in revisions):
            return
        release = commands.release_of(service)
        why = f"the release {release} exists already and is not of project {self._context.project}"
        remedy = f"Set kubernetes.chart.release of {service.name} to another name, or uninstall that release."
        raise DriverError(Problem(service.name, why, remedy))

    def _values(self, service: ServiceDefinition, *, strict: bool) -> str:
        values = commands.chart_of(service).values
        try:
            return json.dumps(self._context.secrets.fill(values))
        except ConfigurationError:
            if strict:
                raise
            return json.dumps(values)  # before the secrets are made

    def _run(self, service: ServiceDefinition, words: Sequence[str], *, values: str | None = None) -> str:
        done = self._call(words, timeout=_patience(service), service=service.name, given=values or "")
        if done.code != 0:
            raise self._failure(service, words[0], done.stderr)
        return done.stdout

    def _call(
        self,
        words: Sequence[str],
        *,
        timeout: float,
        service: str,
        given: str = "",
        until: Callable[[], ProvisioningError | None] = lambda: None,
    ) -> Ended:
        helm = shutil.which("helm", path=search_path(self._context.work_dir.bin))
        if helm is None:
            remedy = f"Install Helm 3 or 4, or put it into {self._context.work_dir.bin}."
            raise PrerequisiteError(Problem(service, "its chart needs helm, which is not in PATH", remedy))
        try:
            return process.run([helm, *words], given=given, timeout=timeout, until=until)
        except subprocess.TimeoutExpired:
            why = f"helm {words[0]} did not end within {timeout:g} s and was killed"
            raise DriverError(Problem(service, why, "Run this again: what it left pending is repaired.")) from None
        except OSError as error:
            raise DriverError(os_problem(service, error)) from None

    def _failure(self, service: ServiceDefinition, command: str, stderr: str) -> DriverError:
        told = self._context.secrets.masked(commands.error_line(stderr))
        return DriverError(Problem(service.name, f"helm {command}: {told}", commands.remedy_for(told)))


def _patience(service: ServiceDefinition) -> float:
    # What fails is rolled back, which has the same time again.
    return 2 * (service.startup.timeout + service.startup.stop_timeout + _GRACE)


def _content_digest(path: Path) -> str | None:
    """Digest of a chart's files, so that a changed chart is told from an unchanged one; none where there are none."""
    files = [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file())
    digest = hashlib.sha256()
    try:
        for file in files:
            digest.update(f"{file.relative_to(path.parent)}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    except OSError:
        return None  # whoever renders the chart says what is wrong with it
    return digest.hexdigest()[:16] if files else None
