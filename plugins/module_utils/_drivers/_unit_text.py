# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The units by which systemd runs the processes of services, as texts. Pure.

What a process is started with stands in three places: its command in the unit, which everybody may read; its
environment, secrets included, in a file of its own for the owner alone; and in a section that systemd passes over what
we must know of it again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from .. import _cgroups
from .._model import ResourceLimits, ServiceDefinition, StartupConfig
from .._paths import WorkDir
from .._plan import digest_of
from .._systemd import escaped, quoted, work_dir_digest
from ._binary_words import stop_signal
from ._launch import Launch

_PREFIX = "provisioning"
_SECTION = "X-Provisioning"
#: Since this version systemd waits longer before each further restart.
_KNOWS_BACKOFF = 254
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BEYOND_ENVIRONMENT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_TO_ESCAPE = re.compile(r'["\\`$]')


def unit_name(layout: WorkDir, service: str, replica: int = 1) -> str:
    """Return the name of the unit of a process; a name of a service has no dot, so that no two are the same."""
    number = "" if replica == 1 else f".{replica}"
    return f"{_PREFIX}-{work_dir_digest(layout)}-{service}{number}.service"


def service_of(layout: WorkDir, unit: str) -> tuple[str, int] | None:
    """Return whose unit it is, service and replica; nothing where it is none of this work dir's."""
    found = re.fullmatch(rf"{_PREFIX}-{work_dir_digest(layout)}-([a-z0-9-]+)(?:\.(\d+))?\.service", unit)
    return (found[1], int(found[2] or 1)) if found else None


def can_carry(launch: Launch) -> bool:
    """Whether systemd can start a process with exactly this; it drops some variables without a word."""
    texts = [*launch.command, *launch.env.values(), launch.working_dir, str(launch.log)]
    paths = [launch.working_dir, str(launch.log)]
    return (
        all(_NAME.fullmatch(name) for name in launch.env)
        and not any(_BEYOND_ENVIRONMENT.search(value) for value in launch.env.values())
        and not any(_CONTROL.search(path) or path.endswith(("\\", " ")) for path in paths)
        and all(_is_text(text) for text in texts)
    )


def environment_file(env: Mapping[str, str]) -> str:
    """Return an environment as systemd.exec(5) has it in files."""
    lines = [f'{name}="{_TO_ESCAPE.sub(_with_backslash, value)}"' for name, value in sorted(env.items())]
    return "".join(f"{line}\n" for line in lines)


def render(
    layout: WorkDir, service: ServiceDefinition, launch: Launch, environment: Path, *, is_root: bool, version: int
) -> str:
    """Return the text of a unit.

    :param environment: the file that holds the environment.
    :param version: systemd's.
    """
    needs = [unit_name(layout, need) for need in service.depends_on]
    online = ["network-online.target", "docker.service", "podman.service"] if is_root else []
    sections = {
        "Unit": [
            f"Description={escaped(service.name)} of the platform in {escaped(str(layout.root))}",
            *([f"After={' '.join([*online, *needs])}"] if online or needs else []),
            *(["Wants=network-online.target"] if is_root else []),
            f"StartLimitIntervalSec={_milliseconds(service.startup.limits.interval)}",
            f"StartLimitBurst={service.startup.limits.burst + 1}",  # the first start counts, too
        ],
        "Service": [
            "Type=exec",
            f"ExecStart={' '.join(quoted(word, of_command=True) for word in launch.command)}",
            f"EnvironmentFile={escaped(str(environment))}",
            f"WorkingDirectory={escaped(launch.working_dir)}",
            *([f"User={escaped(launch.user)}"] if launch.user and is_root else []),
            *([f"Group={escaped(launch.group)}"] if launch.group else []),
            f"UMask={launch.umask:04o}",
            f"StandardOutput=append:{escaped(str(launch.log))}",
            "StandardError=inherit",
            "IgnoreSIGPIPE=no",
            *_limits(service.resources),
            *_restarts(service.startup, version),
            f"KillSignal={stop_signal(service).name}",
            "KillMode=control-group",
            f"TimeoutStopSec={_milliseconds(max(0.001, service.startup.stop_timeout))}",  # none would be for ever
        ],
        "Install": [f"WantedBy={target(is_root=is_root)}"],
        _SECTION: [f"Digest={launch.digest}", f"Rules={rules(service)}"],
    }
    return "\n".join(f"[{name}]\n" + "".join(f"{line}\n" for line in lines) for name, lines in sections.items())


def target(*, is_root: bool) -> str:
    """Return what the machine, or a user's part of it, reaches when it has come up."""
    return "multi-user.target" if is_root else "default.target"


def rules(service: ServiceDefinition) -> str:
    """Return what tells apart how a service is restarted and stopped, which changes without touching its process."""
    startup = service.startup
    document = {
        "needs": sorted(service.depends_on),
        "restart": startup.restart,
        "limits": vars(startup.limits),
        "stop": [startup.stop_signal, startup.stop_timeout],
    }
    return digest_of(document)


def recorded(text: str) -> dict[str, str]:
    """Return what a unit's text holds for us: ``Digest`` and ``Rules``."""
    lines = text.partition(f"[{_SECTION}]\n")[2].splitlines()
    return {name: value for name, found, value in (line.partition("=") for line in lines) if found}


def is_enabled(service: ServiceDefinition) -> bool:
    """Whether a service is to come up with the machine; what is never started again is not."""
    return service.startup.restart != "no"


def _limits(limits: ResourceLimits) -> Iterator[str]:
    if limits.open_files is not None:
        yield f"LimitNOFILE={limits.open_files}"
    if limits.memory is not None:
        yield f"MemoryMax={_cgroups.memory_bytes(limits.memory)}"
    if limits.cpu is not None:
        yield f"CPUQuota={max(1, round(limits.cpu * 100))}%"


def _restarts(startup: StartupConfig, version: int) -> Iterator[str]:
    limits = startup.limits
    if startup.restart == "no":
        yield "Restart=no"
        return
    yield f"Restart={'on-failure' if startup.restart == 'on-failure' else 'always'}"
    if startup.restart == "on-failure":  # to systemd these are a clean end
        yield "RestartForceExitStatus=SIGHUP SIGINT SIGPIPE SIGTERM"
    pauses = [min(limits.max_delay, limits.delay * 2.0 ** min(level, 30)) for level in range(max(1, limits.burst))]
    if version >= _KNOWS_BACKOFF and len(pauses) > 1 and pauses[-1] > pauses[0]:
        yield f"RestartSec={_milliseconds(pauses[0])}"
        yield f"RestartSteps={len(pauses) - 1}"
        yield f"RestartMaxDelaySec={_milliseconds(pauses[-1])}"
    else:  # all of them alike
        yield f"RestartSec={_milliseconds(pauses[len(pauses) // 2])}"


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def _with_backslash(found: re.Match[str]) -> str:
    return f"\\{found[0]}"


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # bytes of a file's name that are no UTF-8
        return False
    return "\0" not in text
