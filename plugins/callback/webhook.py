# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: webhook
type: notification
short_description: Keeps the journal of an installation and tells a webhook about it
version_added: 1.0.0
description:
  - Writes what an installation does into its journal, C(installations/ID/events.jsonl) in the work dir on the
    controller, and sends it to the webhook that the variable C(notifications) names - the start, progress, the seven
    steps, and how it ended.
  - Only plays of this collection are taken in, those that have the variable C(provisioning_operation). Other playbooks
    are left alone. With C(--check) nothing is written and nothing is sent.
  - Notifications are delivered by a process of their own, so that a webhook that is slow or down neither slows nor
    fails the run. What cannot be delivered waits in C(outbox.jsonl) beside the journal.
  - C(notifications) has the keys C(webhook_url) (https, or http to this machine), C(format) (C(generic), C(pagerduty)
    or C(slack); by the host of the URL when not given), C(routing_key) (for PagerDuty), C(headers),
    C(notify_progress), C(notify_completion), C(notify_failure), C(retry_attempts) and C(timeout) in seconds.
    C(${NAME}) and C(${NAME:-default}) stand for environment variables.
options:
  journal:
    description:
      - File to write the journal to.
      - When not given, C(installations/ID/events.jsonl) in the directory that the variable C(work_dir) names.
    type: path
    env:
      - name: PROVISIONING_JOURNAL
  installation_id:
    description:
      - Name of the installation.
      - The variable C(installation_id) goes before it. When neither is given, a new name is made up.
    type: str
    env:
      - name: PROVISIONING_INSTALLATION_ID
  courier:
    description:
      - Who delivers notifications.
      - V(process) starts a process that does.
      - V(external) leaves it to the program that runs Ansible, as C(provisioning-run) does. The journal is written
        alike.
    type: str
    choices: [process, external]
    default: process
    env:
      - name: PROVISIONING_COURIER
requirements:
  - enable in configuration (C(callbacks_enabled = provisioning.platform.webhook))
author:
  - Provisioning Platform contributors (@provisioning)
"""

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ProvisioningError

if TYPE_CHECKING:
    from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.process import CourierProcess
    from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.recorder import RunRecorder
    from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.settings import RunSettings

OPERATION = "provisioning_operation"
JOURNAL = "PROVISIONING_JOURNAL"
INSTALLATION_ID = "PROVISIONING_INSTALLATION_ID"
DRAIN_SECONDS = 8.0
WAIT_SECONDS = 10.0


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "provisioning.platform.webhook"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._recorder: RunRecorder | None = None
        self._courier: CourierProcess | None = None
        self._has_begun = False
        self._exported: list[str] = []
        self._has_warned = False

    def v2_playbook_on_start(self, playbook: Any) -> None:  # noqa: ARG002
        if self.get_option("courier") == "external":
            # ansible-runner has hangups ignored. When the program that runs us is killed, its terminal is gone, and
            # Ansible would stay for ever in the attempt to write to it, with the installation claimed.
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
        self._recorder = None
        self._courier = None
        self._has_begun = False
        for name in self._exported:
            os.environ.pop(name, None)
        self._exported.clear()

    def v2_playbook_on_play_start(self, play: Any) -> None:
        if not self._has_begun and not context.CLIARGS.get("check"):
            self._guard(lambda: self._begin(play))
        self._record(lambda recorder: recorder.play(str(play.get_name())))

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            self._fail(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._fail(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._record(
            lambda recorder: recorder.end(
                failed_hosts={*stats.failures, *stats.dark},
                changed=sum(stats.changed.values()),
                any_host=bool(stats.processed),
            )
        )
        recorder, courier = self._recorder, self._courier
        if recorder is not None and courier is not None:
            self._guard(lambda: self._await_courier(courier, recorder))

    def _begin(self, play: Any) -> None:
        operation = play.get_vars().get(OPERATION)
        if not operation:
            return
        self._has_begun = True  # from now on, even if it fails
        # Imported here: a playbook that is none of ours pays for nothing.
        from ansible_collections.provisioning.platform.plugins.module_utils._events import Journal
        from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.recorder import Run, RunRecorder
        from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.settings import RunSettings

        settings = RunSettings(play.get_variable_manager().get_vars(play=play), os.environ, template=_templater(play))
        installation_id = settings.installation_id(self.get_option("installation_id"))
        given = self.get_option("journal")
        journal = Journal(Path(given).absolute()) if given else settings.journal(installation_id)
        run = Run(str(operation), installation_id, settings.platform, settings.mode, socket.gethostname())
        recorder = RunRecorder(journal, run)
        recorder.begin()
        self._recorder = recorder
        self._export(JOURNAL, str(journal.path))
        self._export(INSTALLATION_ID, installation_id)
        if run.operation == "install" and self.get_option("courier") == "process":
            self._guard(lambda: self._start_courier(settings, recorder))

    def _start_courier(self, settings: RunSettings, recorder: RunRecorder) -> None:
        target = settings.target()
        if target is None:
            return
        # Imported here: a run that notifies nobody does not pay for it.
        from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.process import CourierProcess, Errand

        journal = recorder.journal.path
        errand = Errand(
            str(journal), str(journal.with_name("outbox.jsonl")), target, recorder.offset, DRAIN_SECONDS, os.getpid()
        )
        self._courier = CourierProcess(errand)

    def _await_courier(self, courier: CourierProcess, recorder: RunRecorder) -> None:
        outbox = recorder.journal.path.with_name("outbox.jsonl")
        report = courier.wait(WAIT_SECONDS)
        if report is None:
            self._display.warning(f"webhook: no word of what was delivered; what was not, waits in {outbox}.")
        elif report.undelivered:
            noun = "notification was" if report.undelivered == 1 else "notifications were"
            self._display.warning(
                f"webhook: {report.undelivered} {noun} not delivered and wait in {outbox}. {report.last_error}"
            )

    def _export(self, name: str, value: str) -> None:
        """Tell the action plugins, which run in forks of this process, what this plugin has decided."""
        if os.environ.get(name) != value:
            os.environ[name] = value
            self._exported.append(name)

    def _fail(self, result: Any) -> None:
        if self._recorder is not None:
            from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.recorder import Failure

            failure = Failure.of(result.host.get_name(), result.task.get_name(), result.result)
            self._record(lambda recorder: recorder.fail(failure))

    def _record(self, work: Callable[[RunRecorder], None]) -> None:
        recorder = self._recorder
        if recorder is not None:
            self._guard(lambda: work(recorder))

    def _guard(self, work: Callable[[], None]) -> None:
        """Do something that must not break the run: what is in its way becomes a warning."""
        try:
            work()
        except (OSError, ProvisioningError) as error:
            if not self._has_warned:
                self._display.warning(f"webhook: the run goes on without a complete journal or notifications: {error}")
            self._has_warned = True


def _templater(play: Any) -> Callable[[Any, dict[str, Any]], Any]:
    def template(value: Any, variables: dict[str, Any]) -> Any:
        from ansible.errors import AnsibleError
        from ansible.template import Templar

        try:
            return Templar(loader=play._loader, variables=variables).template(value)
        except AnsibleError:
            return None  # the first step says what is wrong with the configuration

    return template
