#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: services
short_description: Bring all services of a host to the state wanted, in dependency order
version_added: 1.0.0
description:
  - Starts, stops, restarts or removes services as processes and containers along the graph of their dependencies,
    everything in one call and at the same time where nothing has to wait.
  - A service is started at the instant what it depends on is healthy. What already runs as wanted is not touched, what
    has changed is recreated, and the reason is told.
  - While it works, progress is shown live.
options:
  names:
    description: Only these services and, when starting, what they depend on. All when not given.
    type: list
    elements: str
    default: []
  state:
    description:
      - V(started) creates and starts what is not running as defined.
      - V(restarted) does so too, and restarts what runs.
      - V(stopped) stops, V(absent) removes all but data.
    type: str
    choices: [started, stopped, restarted, absent]
    default: started
  wait:
    description:
      - Whether to wait until services that no other one waits for are healthy, too.
    type: bool
    default: true
  prune:
    description: Whether to remove services that were installed before and are no longer among O(services).
    type: bool
    default: false
  round:
    description:
      - On a platform of many hosts, only the services of this round. Round V(0) holds those that need none on another
        host, round V(1) those that need one of round V(0) elsewhere, and so on; V(-1) is the last one.
      - Every host carries a round out before any begins the next, so that no host waits for another.
    type: int
  awaited:
    description: Services that are waited for even when O(wait=false), because others on other hosts need them.
    type: list
    elements: str
    default: []
  with_dependents:
    description: When stopping or removing, do the same to what depends on the services first.
    type: bool
    default: false
  needed_elsewhere:
    description:
      - When stopping or removing on a platform of many hosts, what RV(needs) of each host that takes part was in the
        round before. What is needed there is left alone, unless O(force=true).
      - Hosts of the platform that do not take part are named in a warning, because nobody knows what they need.
    type: dict
  force:
    description: Stop or remove services even though others that run depend on them.
    type: bool
    default: false
  purge:
    description: When removing, remove data outside the work dir, such as named volumes, too.
    type: bool
    default: false
extends_documentation_fragment:
  - provisioning.platform.platform
  - provisioning.platform.platform.run
  - provisioning.platform.platform.events
attributes:
  check_mode:
    description: Returns the plan and touches nothing.
    support: full
  diff_mode:
    description: Shows for each service which settings would change.
    support: full
"""

EXAMPLES = r"""
- name: Start everything that was installed
  provisioning.platform.services:
    state: started

- name: Start the control center and what it depends on
  provisioning.platform.services:
    names: [control-center]

- name: Define two services and start them in order
  provisioning.platform.services:
    services:
      - name: api
        deployment:
          mode: binary
          binary: {command: /opt/api/bin/api, args: [--port, "9000"]}
        port: 9000
        health: {type: http, url: "http://127.0.0.1:9000/health"}
      - name: worker
        deployment:
          mode: binary
          binary: {command: /opt/api/bin/worker}
        depends_on: {api: {condition: healthy}}

- name: Stop the orchestrator and all that depends on it
  provisioning.platform.services:
    names: [orchestrator]
    state: stopped
    with_dependents: true
"""

RETURN = r"""
services:
  description: What became of each service, by name.
  returned: when not in check mode
  type: dict
  sample:
    gitea: {result: healthy, reason: new, changed: true, id: 4b1c, healthy: true, duration_ms: 812.4}
plan:
  description: What was to be done with each service, and why.
  returned: always
  type: list
  elements: dict
  sample:
    - service: gitea
      action: recreate
      reason: "changed: env.LOG_LEVEL"
      changes: ['env.LOG_LEVEL: "info" -> "debug"']
rounds:
  description: How many rounds the platform has.
  returned: success
  type: int
needs:
  description: Services that run here and are to go on, by the services of other hosts that they need.
  returned: when stopping or removing
  type: dict
  sample:
    postgres: [gitea]
degraded:
  description: Whether services that are not required are missing.
  returned: when not in check mode
  type: bool
provisioning_error:
  description: What went wrong, as data.
  returned: on failure
  type: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.provisioning.platform.plugins.module_utils._config_writer import remove_configuration
from ansible_collections.provisioning.platform.plugins.module_utils._converge import Options
from ansible_collections.provisioning.platform.plugins.module_utils._errors import Problem
from ansible_collections.provisioning.platform.plugins.module_utils._goals import needs_elsewhere
from ansible_collections.provisioning.platform.plugins.module_utils._ledger import Ledger
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceOperation
from ansible_collections.provisioning.platform.plugins.module_utils._module import (
    PLATFORM_ARGUMENTS,
    Module,
    definitions,
)
from ansible_collections.provisioning.platform.plugins.module_utils._module_manager import (
    OPERATIONS,
    RUN_ARGUMENTS,
    cancel_on_signals,
    manager_of,
    outcome_result,
    plan_result,
    run_with_events,
)
from ansible_collections.provisioning.platform.plugins.module_utils._operations import look_ahead
from ansible_collections.provisioning.platform.plugins.module_utils._plan import NO_LONGER_WANTED, Goal, Plan

ARGUMENTS: dict[str, Any] = {
    **PLATFORM_ARGUMENTS,
    **RUN_ARGUMENTS,
    "names": {"type": "list", "elements": "str", "default": []},
    "state": {"type": "str", "default": "started", "choices": list(OPERATIONS)},
    "wait": {"type": "bool", "default": True},
    "prune": {"type": "bool", "default": False},
    "round": {"type": "int"},
    "awaited": {"type": "list", "elements": "str", "default": []},
    "with_dependents": {"type": "bool", "default": False},
    "needed_elsewhere": {"type": "dict"},
    "force": {"type": "bool", "default": False},
    "purge": {"type": "bool", "default": False},
}


def goals_of(module: Module, manager: Manager) -> dict[str, Goal]:
    """Return what each service is to be."""
    operation = ServiceOperation(
        operation=OPERATIONS[module.params["state"]],
        services=tuple(module.params["names"]),
        with_dependents=module.params["with_dependents"],
        force=module.params["force"],
    )
    if not module.params["prune"] or module.params["services"] is None:
        return manager.goals_of(operation, needed_by(module.params["needed_elsewhere"] or {}))
    wanted = definitions(module.params["services"])
    goals = {name: goal for name, goal in manager.goals_of(operation).items() if name in wanted}
    return goals | {name: "absent" for name in manager.services() if name not in wanted}


def needed_by(told: Mapping[str, Mapping[str, list[str]]]) -> dict[str, list[str]]:
    """Return who of other hosts needs a service, in words, by its name.

    :param told: what each host said.
    """
    found: dict[str, list[str]] = {}
    for host, needs in told.items():
        for need, names in needs.items():
            found.setdefault(need, []).extend(f"{name} on {host}" for name in names)
    return found


def warn_of_unasked(module: Module, manager: Manager) -> None:
    """Warn where services stop and nobody knows whether something on another host needs them."""
    told = module.params["needed_elsewhere"]
    platform = {host for hosts in manager.settings.elsewhere.values() for host in hosts}
    unasked = sorted(platform - set(told)) if told is not None else []
    if unasked and not module.params["force"]:
        module.warn(f"{', '.join(unasked)}: nobody asked what runs there whether it needs what stops here.")


def removal_of(module: Module) -> str:
    """Return in words why what is to go goes."""
    if module.params["state"] != "absent":
        return NO_LONGER_WANTED
    return "asked to remove" if module.params["names"] else "uninstalled"


def in_round(module: Module, manager: Manager, goals: dict[str, Goal]) -> dict[str, Goal]:
    """Return the goals of the services of the round that is asked for. What is to be removed goes in the first."""
    number = module.params["round"]
    if number is None:
        return goals
    wanted = number % manager.settings.rounds
    last = manager.settings.rounds - 1
    rounds = {name: min(service.round, last) for name, service in manager.services().items()}
    pruned = {name for name, goal in goals.items() if goal == "absent"} if module.params["state"] != "absent" else set()
    return {name: goal for name, goal in goals.items() if wanted == (0 if name in pruned else rounds[name])}


def work(module: Module) -> dict[str, Any]:
    """Converge, or in check mode only plan."""
    leaving = module.params["state"] in ("stopped", "absent")
    manager = manager_of(module, with_known=module.params["prune"], thorough=leaving)
    rounds: dict[str, Any] = {"rounds": manager.settings.rounds}
    goals = goals_of(module, manager)
    if leaving:
        rounds["needs"] = needs_elsewhere(manager.services(), leaving=goals, running=manager.running)
    goals = in_round(module, manager, goals)
    if leaving and goals:
        warn_of_unasked(module, manager)
    if module.check_mode:
        return plan_result(module, manager, manager.plan(goals, removal=removal_of(module))) | rounds
    asked = [name for name in module.params["names"] if name not in manager.settings.elsewhere]
    in_the_way: dict[str, Problem] = {}
    if module.params["services"] is None and not leaving:  # an installation has looked ahead in a step of its own
        keep_going = not module.params["fail_fast"]
        in_the_way, warnings = look_ahead(manager, goals, asked, keep_going=keep_going)
        for warning in warnings:
            module.warn(str(warning))
    given = {name: Problem(name, p["why"], p.get("remedy", "")) for name, p in module.params["skip"].items()}
    options = Options(
        fail_fast=module.params["fail_fast"],
        wait=module.params["wait"],
        awaited=frozenset(module.params["awaited"]),
        skip={**in_the_way, **given},
        cancelled=cancel_on_signals(),
    )
    if module.params["services"] is not None:
        manager.save_settings()
    plan, outcomes = manager.converge(
        goals, options, announce=lambda plan: make_ready(module, manager, plan), removal=removal_of(module)
    )
    gone = [name for name, outcome in outcomes.items() if outcome.result == "removed"]
    remove_configuration(manager.work_dir, gone)
    if module.params["state"] == "started" and module.params["services"] is not None:
        manager.remember(definitions(module.params["services"]))
    if module.params["state"] == "absent":
        manager.clean(purge=module.params["purge"])
    # Whoever asks for something to go wants it gone, required or not.
    needed = {name for name, service in manager.services().items() if leaving or service.required}
    return outcome_result(module, plan, outcomes, needed=needed) | rounds


def make_ready(module: Module, manager: Manager, plan: Plan) -> None:
    """Do what is to be done before anything is touched."""
    note_created(module, manager, plan)
    if module.params["services"] is not None:
        manager.set_damaged_aside()


def note_created(module: Module, manager: Manager, plan: Plan) -> None:
    """Write down which services were not there before, in case the installation fails."""
    created = [name for name, action in plan.actions.items() if action.verb == "create"]
    folders = [manager.work_dir.service_data(name) for name in created]
    if module.params["installation_id"] and created:
        missing = [folder for folder in folders if not folder.exists()]
        Ledger(manager.work_dir, module.params["installation_id"]).add(paths=missing, services=created)


def main() -> None:
    """Run the module."""
    run_with_events(AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
