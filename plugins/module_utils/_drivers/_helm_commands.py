# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of the ``helm`` binary and what it answers: lists of words and texts, put together and read. Pure.

Versions 3 and 4 are understood. Where their flags differ, :class:`Dialect` knows it.
"""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .._errors import DriverError, Problem
from .._model import HelmChart, KubernetesDeployment, ServiceDefinition

#: Where values come from: the process's standard input, so that secrets are in no file and in no argument.
FROM_STDIN = ("--values", "-")

_VERSION = re.compile(r"v?(\d+)\.(\d+)")
_SUPPORTED = (3, 4)
_MARK = re.compile(r"^provisioning: project (?P<project>\S+), service (?P<service>\S+), digest (?P<digest>\S+)$")
_ROLLBACK = re.compile(r"^Rollback to (?P<revision>\d+)$")
_FRACTION = re.compile(r"\.(\d+)")
_PENDING = ("pending-install", "pending-upgrade", "pending-rollback")
_COMING = ("pending-install", "pending-upgrade")
_GOOD = ("deployed", "superseded")


@dataclass(frozen=True)
class Mark:
    """Whose a revision is, kept as its description."""

    project: str
    service: str
    digest: str

    def __str__(self) -> str:
        return f"provisioning: project {self.project}, service {self.service}, digest {self.digest}"


@dataclass(frozen=True)
class Revision:
    """One revision of a release.

    :param status: in Helm's words, e.g. ``deployed`` or ``pending-upgrade``.
    :param updated: unix time in seconds.
    """

    number: int
    status: str
    description: str
    updated: float

    @property
    def is_pending(self) -> bool:
        """Whether an operation on it has begun and not ended."""
        return self.status in _PENDING

    @property
    def is_coming(self) -> bool:
        """Whether it is being brought up, and not what came before it brought back."""
        return self.status in _COMING

    @property
    def was_good(self) -> bool:
        """Whether it was deployed once, so that it can be rolled back to."""
        return self.status in _GOOD


@dataclass(frozen=True)
class Dialect:
    """The flags of a version of Helm."""

    major: int

    @property
    def rollback_on_failure(self) -> str:
        """What undoes an upgrade that failed."""
        return "--atomic" if self.major == 3 else "--rollback-on-failure"

    @property
    def force_conflicts(self) -> list[str]:
        """What takes over fields of others; version 3 overwrites them anyway."""
        return [] if self.major == 3 else ["--force-conflicts"]


def dialect_of(version: str) -> Dialect | None:
    """Return the dialect of what ``helm version --template {{.Version}}`` says; None where it is not supported."""
    match = _VERSION.match(version.strip())
    return Dialect(int(match[1])) if match and int(match[1]) in _SUPPORTED else None


def chart_of(service: ServiceDefinition) -> HelmChart:
    """Return the chart of a service that has one."""
    block = service.deployment.kubernetes
    if block is None or block.chart is None:
        raise DriverError(Problem(service.name, "has no chart"))
    return block.chart


def release_of(service: ServiceDefinition) -> str:
    """Return the name of a service's release."""
    return chart_of(service).release or service.name


def upgrade(service: ServiceDefinition, mark: Mark, dialect: Dialect, *, undoes: bool = True) -> list[str]:
    """Return the words that install a release or bring it up to date, and undo that when it fails.

    :param undoes: False where what there was is not worth waiting for: it would have to become ready again.
    """
    block = _block(service)
    return [
        "upgrade",
        release_of(service),
        *_chart(service),
        "--install",
        "--create-namespace",
        *FROM_STDIN,
        "--wait",
        *_timeout(service.startup.timeout),
        *([dialect.rollback_on_failure] if undoes else []),
        *(dialect.force_conflicts if block.force_conflicts else []),
        *("--description", str(mark)),
        *_cluster(block),
    ]


def template(service: ServiceDefinition) -> list[str]:
    """Return the words that render a chart without a cluster."""
    return ["template", release_of(service), *_chart(service), *FROM_STDIN, "--namespace", _block(service).namespace]


def history(service: ServiceDefinition) -> list[str]:
    """Return the words that list the revisions of a release as JSON."""
    return ["history", release_of(service), "--output", "json", *_cluster(_block(service))]


def releases(block: KubernetesDeployment) -> list[str]:
    """Return the words that list the releases of a namespace as JSON, those that are being made or taken away too."""
    return ["list", "--deployed", "--failed", "--pending", "--uninstalling", "--output", "json", *_cluster(block)]


def manifest(service: ServiceDefinition) -> list[str]:
    """Return the words that show what a release consists of."""
    return ["get", "manifest", release_of(service), *_cluster(_block(service))]


def hooks(service: ServiceDefinition) -> list[str]:
    """Return the words that show what a release makes on the way."""
    return ["get", "hooks", release_of(service), *_cluster(_block(service))]


def rollback(service: ServiceDefinition, revision: int, *, waits: bool = True) -> list[str]:
    """Return the words that go back to a revision."""
    wait = [*(["--wait"] if waits else []), *_timeout(service.startup.timeout)]
    return ["rollback", release_of(service), str(revision), *wait, *_cluster(_block(service))]


def uninstall(service: ServiceDefinition) -> list[str]:
    """Return the words that take a release away, with its history."""
    wait = ["--wait", *_timeout(max(service.startup.stop_timeout, service.startup.timeout))]
    return ["uninstall", release_of(service), *wait, *_cluster(_block(service))]


def read_history(text: str, service: str) -> list[Revision]:
    """Return the revisions that ``helm history --output json`` tells, oldest first.

    :raises DriverError: it is not what Helm says.
    """
    try:
        found = [
            Revision(item["revision"], item["status"], item.get("description") or "", _time(item["updated"]))
            for item in json.loads(text)
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DriverError(Problem(service, "helm history gave no list of revisions")) from None
    return sorted(found, key=lambda revision: revision.number)


def read_releases(text: str) -> list[str]:
    """Return the names of the releases that ``helm list --output json`` tells.

    :raises DriverError: it is not what Helm says.
    """
    try:
        return [str(item["name"]) for item in json.loads(text)]
    except (ValueError, KeyError, TypeError):
        raise DriverError(Problem("helm", "helm list gave no list of releases")) from None


def mark_of(revision: Revision, revisions: Sequence[Revision]) -> Mark | None:
    """Return whose a revision is; one that was gone back to is still its owner's."""
    match = _MARK.match(revision.description)
    if match is not None:
        return Mark(match["project"], match["service"], match["digest"])
    back = _ROLLBACK.match(revision.description)
    earlier = [item for item in revisions if back and item.number == int(back["revision"]) < revision.number]
    return mark_of(earlier[0], revisions) if earlier else None


def last_good(revisions: Sequence[Revision], *, but: Mark) -> Revision | None:
    """Return the newest revision that can be gone back to; none that is the same as what has just failed."""
    good = [item for item in revisions if item.was_good and mark_of(item, revisions) != but]
    return good[-1] if good else None


def became(before: Sequence[Revision], now: Sequence[Revision]) -> str:
    """Say what has become of a release that was not brought up.

    :param before: its revisions before Helm began.
    :param now: those that there are, none of them pending.
    """
    if not now or now[-1].status == "uninstalled":
        return "nothing of the release is left"
    if before and before[-1].number == now[-1].number:
        return "the release is as it was"
    back = _ROLLBACK.match(now[-1].description)
    if back is not None and now[-1].status == "deployed":
        return f"the release was rolled back to revision {back['revision']}"
    return f"the release was left {now[-1].status} (revision {now[-1].number})"


def error_line(stderr: str) -> str:
    """Return what Helm says went wrong, on one line; warnings and hints left out."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    start = next((index for index, line in enumerate(lines) if line.startswith("Error:")), None)
    told = lines[start:] if start is not None else lines[-1:]
    told = [line for line in told if not line.startswith("Use --debug")]
    return " ".join(told).removeprefix("Error:").strip() or "it failed and said nothing"


def remedy_for(message: str) -> str:
    """Return what can be done about an error of Helm; empty where nothing sensible can be said."""
    text = message.lower()
    return next((remedy for words, remedy in _REMEDIES if all(word in text for word in words)), "")


_REMEDIES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("context", "does not exist"), "Set kubernetes.context to one that kubectl config get-contexts lists."),
    (("error loading config file",), "Set kubernetes.kubeconfig to a file that can be read."),
    (("cluster unreachable",), "See that the cluster runs, and that kubernetes.kubeconfig and context lead to it."),
    (("no configuration has been provided",), "Set kubernetes.kubeconfig, or KUBECONFIG in the environment."),
    (("forbidden", "cannot"), "Give the account of the kubeconfig that right, or use another account."),
    (
        ("invalid ownership metadata",),
        "It is somebody else's: remove it, or choose another release or namespace.",
    ),
    (("is in progress",), "Wait for the other operation to end, and run this again."),
    (("not a valid chart repository",), "See that kubernetes.chart.repository is right and can be reached from here."),
    (
        ("chart", "not found in", "repository"),
        "Correct kubernetes.chart.chart or version: there is no such one.",
    ),
    (("unauthorized",), "Log in on that host with helm registry login."),
    (("requested access to the resource is denied",), "Log in on that host with helm registry login."),
    (("server gave http response to https",), "Set kubernetes.chart.plain_http to true if that is what is wanted."),
    (("don't meet the specifications",), "Correct kubernetes.chart.values."),
    (("error calling include",), "Correct kubernetes.chart.values."),
    (("executing",), "Correct kubernetes.chart.values, or the chart."),
    (("yaml parse error",), "Correct kubernetes.chart.values, or the chart."),
    (("path", "not found"), "Set kubernetes.chart.chart to the path of a chart on that host, an oci:// URL or a name."),
    (("chart.yaml file is missing",), "Set kubernetes.chart.chart to the path of a chart on that host."),
    (("unable to detect chart",), "Set kubernetes.chart.chart to the path of a chart on that host."),
    (("name unknown",), "Correct kubernetes.chart.chart or version: there is no such one."),
    (("manifest unknown",), "Correct kubernetes.chart.chart or version: there is no such one."),
    (("fetchreference", "not found"), "Correct kubernetes.chart.chart or version: there is no such one."),
    ((": not found",), "Correct kubernetes.chart.chart or version: there is no such one."),
    (("connection refused",), "See that it runs, and can be reached from that host."),
    (("timed out",), "See what is not ready with kubectl get events, or set a longer startup.timeout."),
    (("deadline exceeded",), "See what is not ready with kubectl get events, or set a longer startup.timeout."),
)


def _block(service: ServiceDefinition) -> KubernetesDeployment:
    return service.deployment.kubernetes or KubernetesDeployment()


def _chart(service: ServiceDefinition) -> list[str]:
    chart = chart_of(service)
    words = [chart.chart]
    words += ["--repo", chart.repository] if chart.repository else []
    words += ["--version", chart.version] if chart.version else []
    return [*words, "--plain-http"] if chart.plain_http else words


def _cluster(block: KubernetesDeployment) -> list[str]:
    words = ["--namespace", block.namespace]
    words += ["--kubeconfig", block.kubeconfig] if block.kubeconfig else []
    return [*words, "--kube-context", block.context] if block.context else words


def _timeout(seconds: float) -> list[str]:
    return ["--timeout", f"{max(1, math.ceil(seconds))}s"]


def _time(text: Any) -> float:
    # Nanoseconds, of which Python before 3.11 reads none and later ones six digits.
    cut = _FRACTION.sub(lambda match: f".{match[1][:6]:0<6}", text).replace("Z", "+00:00")
    return datetime.datetime.fromisoformat(cut).timestamp()
