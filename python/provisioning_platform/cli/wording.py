# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of the help that commands share."""

from __future__ import annotations

from collections.abc import Sequence

#: How help looks.
HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

#: The exit codes, those of provisioning-run; ``exit_codes`` is the table, which help must not pay for.
CODES = (
    "  0  what was asked for holds",
    "  1  it does not: a service that is needed is down, unhealthy or failed",
    "  2  what was given is wrong: an option, the name of a service, a file",
    "  3  prerequisites are not met: nothing installed, a port taken, another run in progress,",
    "     a service to be stopped is needed by others",
    "  4  it holds but for services that are not required, or for the supervisor, which has ended",
    "  5  an update failed, and the former version is back",
    " 10  platform update --check: there is something to update",
    "130  interrupted (Ctrl-C); 143 terminated",
)

FINDING = (
    "Which installation: that of --config or PROVISIONING_CONFIG, else of ./provisioning.toml, ./provisioning.yml or "
    "./provisioning.yaml, else that in ~/.provisioning. Of a configuration only work_dir is read, but by "
    "validate and update."
)


def block(title: str, lines: Sequence[str]) -> str:
    """Return lines under a title as they are."""
    # The \b keeps typer from wrapping what follows.
    return f"{title}\n\n\b\n" + "\n".join(f"  {line}" for line in lines)


# What documents for programs hold, for the help of commands. Keys are never renamed; there may be more one day.
STATUS_KEYS = """\
work_dir; services: a list; of each name, mode, status (running, stopped, failed, absent, ...),
health (healthy, unhealthy, unknown), address, required, since (unix time), id, restarts, detail,
reason, last_error, fault, health_reason, health_duration_ms, digest, description; of platform
status also supervision: wanted, running, pid, since, problem, remedy"""
HEALTH_KEYS = """\
work_dir; healthy: whether it ends with 0; services: a list; of each name, health (healthy,
unhealthy, unknown), status, reason, duration_ms, required"""
LIST_KEYS = """\
work_dir; services: a list; of each name, mode, status, required, address, depends_on, description"""
OUTCOME_KEYS = """\
work_dir; operation; services: a list; of each name, result (healthy, started, completed, unchanged,
stopped, failed, skipped, cancelled), reason, remedy, changed, healthy, id, duration_ms"""
LOG_KEYS = """\
a document a line: service, time (ISO, UTC; null where none is known), stream, text"""
CHECK_KEYS = """\
work_dir; operation; description; may_start; can_go_ahead; needs: a list; of each service, state
(ready, started, missing, unhealthy, unknown, elsewhere), reason, remedy"""
OPERATIONS_KEYS = """\
without OPERATION work_dir; operations: a list; of each name, requires, may_start, description"""
GRAPH_KEYS = """\
work_dir; order: names in the order of starting; services: a list; of each name, mode, depends_on
(the condition by name), needed_by"""
VALIDATION_KEYS = """\
work_dir; configuration: its file, or null; valid; services: names; problems and warnings: lists; of
each what, why, remedy, about (configuration, platform or service), required"""
READINESS_KEYS = """\
work_dir; ready; missing: the reason by service; problems and warnings of a start, as validate has
them; supervision: wanted, running, pid, since, problem, remedy"""
MONITOR_KEYS = """\
a document a line, for each service at first and for each change then: time (unix), service, status,
health, reason, before (status and health, or null)"""
UPDATE_KEYS = """\
work_dir; configuration; not_installed; no_longer_wanted; services: a list; of each service, result
(updated, unchanged, left out, restored, lost, not reached), reason, changes, error, remedy; with
--check of each service, action (update, none), reason, changes"""
