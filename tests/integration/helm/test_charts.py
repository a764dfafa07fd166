# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be said of a chart without a cluster."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import yaml
from ansible_collections.provisioning.platform.plugins.module_utils._drivers import _helm_commands as commands
from ansible_collections.provisioning.platform.plugins.module_utils._drivers.helm import HelmReleases
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import SecretStore

from tests.fixtures.ports import free_port
from tests.integration.helm.conftest import CHART
from tests.unit.plugins.module_utils.drivers.kubernetes_rules import check_schema


@pytest.fixture
def kubeconfig(tmp_path):
    """A way to a cluster that does not answer."""
    file = tmp_path / "kubeconfig"
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{free_port()}"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    config = {
        "clusters": [cluster],
        "contexts": [context],
        "users": [{"name": "u", "user": {}}],
        "current-context": "c",
    }
    file.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **config}))
    return str(file)


def rendered(helm, definition, values="{}"):
    done = subprocess.run([helm, *commands.template(definition)], input=values, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def faults(releases, definition):
    return [str(problem) for problem in releases.check(definition)]


def test_the_chart_of_these_tests_is_a_good_one(helm):
    done = subprocess.run([helm, "lint", "--strict", CHART], capture_output=True, text=True)
    assert "0 chart(s) failed" in done.stdout


def test_a_chart_is_rendered_with_the_values_from_standard_input(helm, service):
    documents = rendered(helm, service(), '{"replicas": 3, "password": "a b"}')
    check_schema(documents)
    assert [document["kind"] for document in documents] == ["Secret", "Deployment"]
    assert documents[0]["stringData"]["password"] == "a b"
    assert documents[1]["spec"]["replicas"] == 3


def test_a_package_a_repository_and_a_registry_give_the_same_as_the_folder(helm, service, packaged, repository, oci):
    places = [
        {"chart": str(packaged)},
        {"chart": "web", "repository": repository, "version": "1.2.3"},
        {"chart": oci, "version": "1.2.3", "plain_http": True},
        {"chart": oci, "plain_http": True},
    ]
    expected = rendered(helm, service())
    for place in places:
        assert rendered(helm, service(place)) == expected, place


@pytest.mark.parametrize(
    ("chart", "words"),
    [
        (
            {"chart": "/nowhere"},
            'web: helm template: path "/nowhere" not found. Set kubernetes.chart.chart to the path',
        ),
        ({"chart": str(CHART.parent)}, "Set kubernetes.chart.chart to the path of a chart on that host."),
        ({"chart": str(CHART), "values": {"replicas": "many"}}, "Correct kubernetes.chart.values."),
        ({"chart": str(CHART), "values": {"replicas": -1}}, "Correct kubernetes.chart.values."),
    ],
)
def test_a_chart_or_values_that_are_wrong_are_one_clear_error(releases, service, chart, words):
    (fault,) = faults(releases, service(chart))
    assert words in fault
    assert "\n" not in fault


def test_what_a_repository_or_registry_does_not_have_is_told(releases, service, repository, oci):
    for chart in (
        {"chart": "web", "repository": repository, "version": "9.9.9"},
        {"chart": "other", "repository": repository},
        {"chart": oci, "version": "9.9.9", "plain_http": True},
        {"chart": f"{oci}-other", "plain_http": True},
    ):
        (fault,) = faults(releases, service(chart))
        assert "Correct kubernetes.chart.chart or version" in fault, fault


def test_a_repository_and_a_registry_that_are_not_there_are_told(releases, service):
    address = f"127.0.0.1:{free_port()}"
    (fault,) = faults(releases, service({"chart": "web", "repository": f"http://{address}"}))
    assert "See that kubernetes.chart.repository is right and can be reached from here." in fault
    (fault,) = faults(releases, service({"chart": f"oci://{address}/web", "plain_http": True}))
    assert "See that it runs, and can be reached from that host." in fault


def test_a_registry_without_tls_is_not_used_unless_that_is_wanted(releases, service, oci):
    (fault,) = faults(releases, service({"chart": oci.replace("127.0.0.1", "localhost"), "version": "1.2.3"}))
    assert "helm template" in fault


def test_a_cluster_that_does_not_answer_is_one_clear_error(releases, service, kubeconfig):
    (fault,) = faults(releases, service(kubeconfig=kubeconfig))
    assert "web: helm history: kubernetes cluster unreachable" in fault.replace("Kubernetes", "kubernetes")
    assert fault.endswith("See that the cluster runs, and that kubernetes.kubeconfig and context lead to it.")
    with pytest.raises(DriverError, match="unreachable"):
        releases.observe([service(kubeconfig=kubeconfig)])
    (fault,) = faults(releases, service(kubeconfig=kubeconfig, context="gone"))
    assert "Set kubernetes.context to one that kubectl config get-contexts lists." in fault


def test_no_secret_is_in_an_error(releases, service):
    chart = {"chart": str(CHART), "values": {"replicas": "${secret.web.password}"}}
    (fault,) = faults(releases, service(chart))
    assert "hunter2" not in fault


def test_without_helm_the_remedy_is_to_install_it(context, service, monkeypatch):
    (context.work_dir.bin / "helm").unlink()
    monkeypatch.setenv("PATH", "/nowhere")
    if shutil.which("helm", path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"):
        return  # where it is installed for all, it is found
    (fault,) = faults(HelmReleases(context), service())
    remedy = f"Install Helm 3 or 4, or put it into {context.work_dir.bin}."
    assert fault == f"web: its chart needs helm, which is not in PATH. {remedy}"


def test_a_helm_of_another_version_is_refused(context, service, kubeconfig):
    other = context.work_dir.bin / "helm"
    other.unlink()
    other.write_text("#!/bin/sh\necho v2.17.0\n")
    other.chmod(0o755)
    (fault,) = faults(HelmReleases(context), service(kubeconfig=kubeconfig))
    assert fault == "web: the helm that was found is neither of version 3 nor 4: v2.17.0. Install one of these."


def test_what_is_asked_for_holds_placeholders_and_versions_of_secrets(releases, service, packaged):
    values = {"password": "${secret.web.password}"}
    document = releases.render(service({"chart": "nginx", "repository": "https://c.example", "values": values}))
    assert document == {
        "chart": "nginx",
        "repository": "https://c.example",
        "values": values,
        "release": "web",
        "namespace": "provisioning",
        "secrets": {"web.password": 1},
    }


def test_a_chart_in_a_folder_that_changed_is_another_one(releases, service, tmp_path):
    shutil.copytree(CHART, tmp_path / "web")
    before = releases.render(service(tmp_path / "web"))
    assert releases.render(service(tmp_path / "web")) == before
    with (tmp_path / "web" / "values.yaml").open("a") as file:
        file.write("more: 1\n")
    assert releases.render(service(tmp_path / "web"))["content"] != before["content"]


def test_a_secret_that_does_not_exist_is_told_before_anything_is_done(context, service, kubeconfig):
    empty = HelmReleases(type(context)(work_dir=context.work_dir, secrets=SecretStore(context.work_dir.root / "none")))
    chart = {"chart": str(CHART), "values": {"password": "${secret.web.password}"}}
    with pytest.raises(Exception, match="there is no such secret on this host"):
        empty.start(service(chart, kubeconfig=kubeconfig), None, "d1")
