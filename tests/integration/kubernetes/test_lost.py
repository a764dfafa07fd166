# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation whose records were lost: what it has on a cluster is found by its labels, a release by its mark."""

from __future__ import annotations

import shutil

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _installation
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition, ServiceOperation
from ansible_collections.provisioning.platform.plugins.module_utils._operations import operate
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Settings

from tests.fixtures.helm import CHART, install_helm
from tests.fixtures.kubernetes.clusters import Bench, until


def install(bench: Bench, *services: ServiceDefinition) -> None:
    """Install services as the playbook does, record that, and lose their state."""
    settings = Settings(project=bench.project)
    _installation.begin(bench.context.work_dir, "run-1")
    manager = Manager(bench.context.work_dir.root, {one.name: one for one in services}, settings)
    manager.save_settings()
    operate(manager, ServiceOperation(operation="start"))
    _installation.complete(bench.context.work_dir, services, settings, "run-1")
    shutil.rmtree(bench.context.work_dir.state)


def uninstall(bench: Bench) -> tuple[dict[str, str], list[str]]:
    manager = Manager.open(bench.context.work_dir.root, thorough=True)
    outcomes = operate(manager, ServiceOperation(operation="remove", force=True))
    return {name: outcome.result for name, outcome in outcomes.items()}, manager.clean()


def test_what_has_lost_its_state_is_removed_and_nothing_else(bench: Bench) -> None:
    rule = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rules"}, "data": {"a": "b"}}
    install(bench, bench.service("web", command=["netexec", "--all"]), bench.service("rules", objects=[rule]))
    bench.start(bench.service("unnoted"))
    labels = {"io.provisioning/project": f"{bench.project}-other", "io.provisioning/service": "theirs"}
    bench.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "labels": labels}})
    copied = {"io.provisioning/project": bench.project, "io.provisioning/service": "copied"}
    bench.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "copied", "labels": copied}})
    assert Manager.open(bench.context.work_dir.root).services() == {}

    outcomes, cleaned = uninstall(bench)
    assert outcomes == {"rules": "removed", "unnoted": "removed", "web": "removed"}
    assert cleaned == []  # there is something in it
    assert bench.deployment("web") is None
    assert bench.deployment("unnoted") is None
    assert bench.read("ConfigMap", "rules") is None
    assert bench.read("ConfigMap", "copied") is not None, "somebody else has put our labels there"
    assert bench.read("ConfigMap", "theirs") is not None


def test_a_namespace_goes_with_what_was_found_in_it(bench: Bench) -> None:
    install(bench, bench.service("web"))
    assert uninstall(bench) == ({"web": "removed"}, [bench.namespace])


def test_a_cluster_that_may_have_something_must_answer(bench: Bench, tmp_path) -> None:
    install(bench, bench.service("web"))
    kubeconfig = bench.kubeconfig or str(tmp_path / "kubeconfig")
    if bench.emulator is None:
        pytest.skip("the credentials are not ours to take away")
    shutil.move(kubeconfig, f"{kubeconfig}.bak")
    with pytest.raises(DriverError, match="does not exist"):
        Manager.open(bench.context.work_dir.root, thorough=True)
    shutil.move(f"{kubeconfig}.bak", kubeconfig)
    assert uninstall(bench)[0] == {"web": "removed"}


def test_releases_are_found_too(bench: Bench) -> None:
    if bench.emulator is not None:
        pytest.skip("the emulator does not know all that helm asks for; set KUBECONFIG")
    install_helm(bench.context.work_dir)
    chart = {"chart": str(CHART), "values": {"image": bench.image("good")}}
    settings = {"startup": {"timeout": 60}}
    install(bench, bench.service("web", chart={**chart, "release": "front"}, definition=settings))
    unnoted = bench.service("unnoted", chart=chart, definition=settings)
    bench.driver.start(unnoted, bench.observe(unnoted), bench.digest(unnoted))
    assert uninstall(bench) == ({"unnoted": "removed", "web": "removed"}, [bench.namespace])
    until(lambda: bench.deployment("front"), lambda found: found is None)
    assert bench.deployment("unnoted") is None
