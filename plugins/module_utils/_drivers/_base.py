# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a driver is: the code that implements one mode."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from .._errors import DriverError, Problem
from .._health import HealthResult
from .._model import AnyVerification, CommandHealthCheck, Mode, Scalar, ServiceDefinition
from .._paths import WorkDir
from .._secrets import SecretStore

Status = Literal["absent", "stopped", "paused", "starting", "running", "failed", "unreachable"]

Notify = Callable[..., None]


@dataclass(frozen=True)
class Observation:
    """What a service is, asked from the kernel, the engine or the API.

    :param status: ``stopped`` means it ended by itself with success or was stopped; ``failed`` that it ended badly;
        ``paused`` that somebody froze it; ``unreachable`` that it runs elsewhere, if it does, and does not answer.
    :param digest: digest of what was asked for when it was created.
    :param id: what the mode calls it: a pid, a container id.
    :param since: unix time in seconds since when it is what it is.
    :param exit_code: of the process, where it has ended and is known.
    :param detail: one line for people, e.g. ``killed by signal 9``.
    :param instances: ids of all replicas that have not ended, this one's first.
    :param drift: how what runs is no longer what was started, though its digest is right; the next start repairs it.
    :param own_health: what the health check says that a container brings itself: ``healthy``, or ``none`` where it has
        none; nothing where it says something else or is not known.
    :param kept_by: who else starts it again when it ends: ``systemd``, or nothing.
    :param restarts: how often that has been done since we started it.
    :param is_given_up: whether that will not be done any more.
    """

    status: Status
    digest: str | None = None
    id: str | None = None
    since: float | None = None
    exit_code: int | None = None
    detail: str = ""
    instances: tuple[str, ...] = ()
    drift: str = ""
    own_health: str = ""
    kept_by: str = ""
    restarts: int = 0
    is_given_up: bool = False

    @property
    def exists(self) -> bool:
        """Whether there is anything of it at all."""
        return self.status != "absent"

    @property
    def is_up(self) -> bool:
        """Whether it runs or is about to."""
        return self.status in ("starting", "running")

    @property
    def has_completed(self) -> bool:
        """Whether it ended by itself, and well."""
        return self.status == "stopped" and self.exit_code in (0, None)


ABSENT = Observation("absent")


@dataclass(frozen=True)
class LogLine:
    """One line of a service's output, without its line end."""

    service: str
    text: str
    stream: Literal["stdout", "stderr"] = "stdout"
    time: float | None = None


@dataclass(frozen=True)
class Context:
    """What drivers need to know of the installation they work for.

    :param work_dir: layout of the work dir.
    :param project: prefix of containers and networks, label of all that is ours.
    :param engine: container engine wanted: ``docker``, ``podman`` or ``orbstack``.
    :param engine_url: its socket or address; found by socket and context when absent.
    :param env: the installation's ``env_vars``, given to every service.
    :param secrets: the host's secrets.
    :param files: digest of each service's configuration files, by service.
    :param tasks: services that are to end.
    :param notify: called with an event kind, ``service=`` and data when something worth telling happens on the way.
    :param is_cancelled: whether the run that is going on is to stop; whoever waits long for others asks now and then.
    """

    work_dir: WorkDir
    secrets: SecretStore
    project: str = "provisioning"
    engine: str = "docker"
    engine_url: str | None = None
    env: Mapping[str, Scalar] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    tasks: frozenset[str] = frozenset()
    notify: Notify = lambda *args, **data: None
    is_cancelled: Callable[[], bool] = lambda: False

    @property
    def network(self) -> str:
        """The network that all containers of the platform share."""
        return f"{self.project}-net"


class Driver(ABC):
    """One mode. A driver keeps nothing between calls but its connection; all its methods may be called in threads.

    :param sleep: waits some seconds, e.g. between two looks or two attempts.
    :param clock: unix time in seconds.

    ``observe`` and the digest it returns are the truth; ``digest(render(service))`` (``_plan.digest_of``) is what it is
    compared with.
    """

    mode: ClassVar[Mode]
    #: How many services may be started or stopped at the same time.
    parallelism: ClassVar[int] = 8
    #: Whether :meth:`start` restarts what runs as it should, so that it need not be stopped first.
    restarts_in_place: ClassVar[bool] = False

    def __init__(
        self,
        context: Context,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.context = context
        self._sleep = sleep
        self._clock = clock
        self.set_up()

    def set_up(self) -> None:
        """Make what is kept between calls, such as the connection, which is opened when it is first needed."""

    @abstractmethod
    def check(self, service: ServiceDefinition) -> list[Problem]:
        """Return what keeps the service from running here; nothing is touched."""

    @abstractmethod
    def observe(self, services: Sequence[ServiceDefinition]) -> dict[str, Observation]:
        """Return what each service is, in a constant number of calls to an engine or API.

        :raises DriverError: the engine or API does not answer.
        """

    def find(self, recorded: Sequence[ServiceDefinition] = ()) -> list[ServiceDefinition]:  # noqa: ARG002
        """Return what can be found of this installation without knowing its services: enough to stop and remove them.

        :param recorded: those of the mode that are known, or once were; they may tell where to look.
        :raises DriverError: the engine or API does not answer.
        """
        return []

    def preview(self, service: ServiceDefinition) -> tuple[str, str] | None:  # noqa: ARG002
        """Return what there is of a service and what there would be, as texts, where that tells more than its document.

        :raises ProvisioningError: it cannot be found out.
        """
        return None

    def address(self, service: ServiceDefinition) -> str | None:  # noqa: ARG002
        """Return the address of what runs the service, where the service decides that; nothing and nobody is asked."""
        return None

    def is_same(self, service: ServiceDefinition, before: ServiceDefinition | None) -> bool:  # noqa: ARG002
        """Whether what there is of a service is what there was of it, reached in another way.

        :param before: as it was; None where that can be reached no more.
        :raises DriverError: the engine or API does not answer.
        """
        return False

    @abstractmethod
    def render(self, service: ServiceDefinition) -> dict[str, Any]:
        """Return what would be created, as JSON types, secrets still as placeholders.

        It feeds the digest, the diff and check mode, so it holds all that matters and nothing that changes by itself.
        """

    def prepare(self, services: Sequence[ServiceDefinition]) -> None:
        """Make what services share before the first of them starts, e.g. networks.

        :raises DriverError: it cannot be made.
        """

    @abstractmethod
    def start(self, service: ServiceDefinition, observation: Observation, digest: str) -> Observation:
        """Create and start it, replacing what is there when its digest differs; return what it is now.

        :param observation: what it was when the plan was made.
        :param digest: to be kept with the process or container.
        :raises DriverError: it cannot be started.
        :raises CancelledRun: it was on its way, and taken back when the run was to stop.
        """

    @abstractmethod
    def stop(self, service: ServiceDefinition, observation: Observation) -> None:
        """Stop it: the stop signal, ``startup.stop_timeout``, then a kill. What is not running is left as it is.

        :raises DriverError: it cannot be stopped.
        """

    @abstractmethod
    def remove(self, service: ServiceDefinition, observation: Observation) -> None:
        """Stop it and take away all that was created for it, its data apart.

        :raises DriverError: it cannot be removed.
        """

    def clean(self) -> list[str]:
        """Take away what :meth:`prepare` made and nothing uses any more; return its names.

        :raises DriverError: it cannot be removed.
        """
        return []

    def purge(self) -> list[str]:
        """Take away the data that lies outside the work dir, e.g. named volumes; return its names.

        :raises DriverError: it cannot be removed.
        """
        return []

    def release(self) -> None:
        """Let go of what was kept for the mode and nothing of it needs any more; the last thing that is asked.

        :raises DriverError: it cannot be let go.
        """
        return

    @abstractmethod
    def logs(self, service: ServiceDefinition, *, follow: bool = False, tail: int | None = None) -> Iterator[LogLine]:
        """Yield its output, oldest first.

        :param follow: go on as more is written, until it ends or the caller stops reading.
        :param tail: only this many lines from the end.
        """

    def glance(self, service: ServiceDefinition, seen: Observation) -> HealthResult | None:  # noqa: ARG002
        """Return the health of a service without a check by what has just been seen; None where it must be asked for.

        :param seen: what it is; it is up.
        """
        return None

    def judge(self, service: ServiceDefinition, check: AnyVerification | None) -> HealthResult | None:  # noqa: ARG002
        """Return the result of a check that the mode itself makes best; None when it is to be made from this host.

        :param check: the service's health check, None when it has none, or one of its ``verify`` checks.
        """
        return None

    def remedy(self, service: ServiceDefinition, reason: str) -> str:  # noqa: ARG002
        """Return what can be done about a reason for which a service is not healthy; nothing where the usual can."""
        return ""

    def ended(self, service: ServiceDefinition) -> str | None:  # noqa: ARG002
        """Say how what was started for the service has ended, though something may answer in its place.

        It is asked once a check has passed. None while it is up, and in modes where nobody else can answer.
        """
        return None

    def content(self, service: ServiceDefinition, observation: Observation) -> str:  # noqa: ARG002
        """Return what exactly runs, where its name may come to mean something else: e.g. the id of its image.

        :raises DriverError: the engine or API does not answer.
        """
        return ""

    def newer(self, service: ServiceDefinition, content: str, *, fetch: bool = False) -> str:  # noqa: ARG002
        """Say what is newer than what runs, though the definition is the same; nothing where nothing is known of.

        :param content: what runs, as :meth:`content` returned it.
        :param fetch: get it here first, if the definition wants that.
        :raises DriverError: it cannot be had, or the engine or API does not answer.
        """
        return ""

    def holding(self, service: ServiceDefinition, content: str) -> ServiceDefinition:  # noqa: ARG002
        """Return a definition that goes on to mean what ran, though its name now means something else.

        :param content: what ran, as :meth:`content` returned it.
        :raises DriverError: the engine or API does not answer.
        """
        return service

    def execute(self, service: ServiceDefinition, check: CommandHealthCheck) -> tuple[int, str]:
        """Run a check's command inside the service; return exit code and output.

        :raises DriverError: it cannot be run there, which is so in modes that have no inside.
        """
        why = f"{' '.join(check.command)} cannot be run inside it: the mode {self.mode} has no inside"
        raise DriverError(Problem(service.name, why, "Set inside to false, or choose another check."))
