# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The docker driver: images pulled from a registry and built from a Containerfile."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import docker
import docker.errors
import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import ABSENT
from ansible_collections.provisioning.platform.plugins.module_utils._drivers.docker import DockerDriver
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition

from tests.fixtures.docker_bench import Bench, get, make_bench, problem_of, service
from tests.fixtures.image_registry import Registry, running_registry
from tests.fixtures.images import IMAGE
from tests.fixtures.ports import free_port


@pytest.fixture
def registry() -> Iterator[Registry]:
    with running_registry() as found:
        yield found


@pytest.fixture
def pullable(api: docker.APIClient, registry: Registry) -> Iterator[Registry]:
    """A registry whose images are taken off the engine again."""
    yield registry
    for image in api.images():
        for tag in image.get("RepoTags") or []:
            if tag.startswith(registry.address):
                api.remove_image(tag, force=True)


def from_registry(image: str, name: str = "web", pull: str = "missing") -> ServiceDefinition:
    """A service whose image is not fit to run, so that getting it is all that succeeds."""
    return service(name, docker={"image": image, "pull": pull})


def pull(bench: Bench, web: ServiceDefinition) -> str:
    """Start a service out of the registry; its only file is no program, so the engine's complaint is a success."""
    with pytest.raises(DriverError) as caught:
        bench.start(web)
    return str(caught.value)


def test_an_image_that_is_missing_is_pulled_and_the_pull_is_told(bench, pullable):
    image = pullable.put("team/app", "1", "a")
    assert "the image has no command /nothing" in pull(bench, from_registry(image))
    assert bench.told == [("service.pulling", {"service": "web", "image": image})]
    asked = pullable.manifests
    assert asked
    pull(bench, from_registry(image))
    assert pullable.manifests == asked, "what is there is not pulled again"
    assert len(bench.told) == 1


def test_an_image_can_be_had_by_its_digest(bench, pullable):
    image = pullable.put("team/app", "1", "a")
    digest = next(key for key in pullable._tags if "sha256" in key).partition(":")[2]
    pinned = f"{image.rpartition(':')[0]}@{digest}"
    assert "the image has no command /nothing" in pull(bench, from_registry(pinned))
    bench.api.remove_image(pinned, force=True)


def test_an_image_is_pulled_each_time_when_asked_for(bench, pullable):
    pullable.put("team/app", "1", "a")
    image = pullable.put("team/app", "1", "b")
    pull(bench, from_registry(image, pull="always"))
    before = bench.api.inspect_image(image)["Id"]
    pullable.put("team/app", "1", "c")
    pull(bench, from_registry(image, pull="always"))
    assert bench.api.inspect_image(image)["Id"] != before


def test_an_image_that_does_not_exist_is_not_asked_for_again(bench, pullable):
    pullable.put("team/app", "1", "a")
    image = f"{pullable.address}/team/app:2"
    assert pull(bench, from_registry(image)) == (
        f"web: there is no image {image}. Correct docker.image, or build it under that name."
    )
    assert bench.slept == []


def test_a_registry_that_denies_is_not_asked_again(bench, pullable):
    image = pullable.put("team/app", "1", "a")
    pullable.failure = (403, "DENIED")
    assert "the registry denies it. Log in to the registry" in pull(bench, from_registry(image))
    assert bench.slept == []


def test_a_registry_that_is_busy_is_asked_again_after_growing_pauses(registry, docker_url, tmp_path):
    # On Docker alone: Podman itself asks again and again before it gives up, for longer than a test may take.
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            registry.failure = None

    client = docker.APIClient(docker_url, version="auto")
    with make_bench(tmp_path, "docker", docker_url, client) as bench:
        bench.driver = DockerDriver(bench.context, sleep=sleep)
        image, other = registry.put("team/app", "1", "a"), registry.put("team/other", "1", "a")
        registry.failure = (503, "")
        assert "the image has no command /nothing" in pull(bench, from_registry(image))
        assert slept == [1.0, 2.0]
        registry.failure = (503, "")
        assert f"the image {other} cannot be pulled after 3 attempts" in pull(bench, from_registry(other))
        assert slept == [1.0, 2.0, 1.0, 2.0]
    client.close()


def test_services_that_share_an_image_have_it_pulled_once(bench, pullable):
    image = pullable.put("team/app", "1", "a")
    services = [from_registry(image, name, pull="always") for name in ("one", "two", "three", "four")]
    bench.driver.prepare(services)
    alone = pullable.manifests
    pull(bench, from_registry(image, "zero"))
    alone = pullable.manifests - alone
    together = pullable.manifests

    def start(web: ServiceDefinition) -> str:
        try:
            bench.driver.start(web, ABSENT, "d")
        except DriverError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(4) as pool:
        problems = list(pool.map(start, services))
    assert [problem.partition(":")[0] for problem in problems] == ["one", "two", "three", "four"]
    # Those that come while one pulls wait for it; one that comes after it pulls again.
    assert pullable.manifests - together < 4 * alone


def test_an_image_is_built_when_it_is_missing(bench, tmp_path):
    image = f"provisioning-test/{bench.context.project}:1"
    (tmp_path / "Containerfile").write_text(
        f"FROM {IMAGE} AS first\nARG WHO\nRUN echo built by $WHO > /www/index.html\nFROM first AS second\nRUN false\n"
    )
    spec = {"context": str(tmp_path), "args": {"WHO": "us"}, "target": "first"}
    port = free_port()
    web = service(docker={"image": image, "build": spec, "pull": "missing", "ports": [f"{port}:8080"]})
    assert bench.driver.check(web) == []
    try:
        bench.start(web)
        assert get(port) == "built by us\n"
    finally:
        bench.remove(web)
        bench.api.remove_image(image, force=True)


def test_a_build_that_fails_shows_its_last_lines(bench, tmp_path):
    (tmp_path / "Containerfile").write_text(f"FROM {IMAGE}\nRUN echo about to break && false\n")
    spec = {"context": str(tmp_path)}
    text = problem_of(bench, service(docker={"image": "provisioning-test/never:1", "build": spec, "pull": "missing"}))
    assert text.startswith("web: building the image provisioning-test/never:1 failed: ")
    assert "about to break" in text
    assert text.endswith(f"Correct {tmp_path}/Containerfile.")


def test_what_a_build_lacks_is_found_by_the_check(bench, tmp_path):
    web = service(docker={"build": {"context": str(tmp_path)}, "pull": "missing"})
    assert [problem.why for problem in bench.driver.check(web)] == [f"{tmp_path}/Containerfile does not exist"]


def test_another_image_of_the_same_name_is_seen_in_its_registry_and_taken_when_it_is_fetched(
    bench: Bench, pullable: Registry, engine: str
) -> None:
    web = from_registry(pullable.put("team/moving", "1", "one"), pull="always")
    image = web.deployment.docker.image if web.deployment.docker else ""
    pull(bench, web)
    runs = str(bench.api.inspect_image(image)["Id"]).removeprefix("sha256:")
    assert bench.driver.newer(web, runs) == ""
    pullable.put("team/moving", "1", "two")
    # Podman cannot ask a registry without pulling.
    assert bench.driver.newer(web, runs) == (f"the registry has a newer {image}" if engine == "docker" else "")
    assert bench.driver.newer(web, runs, fetch=True) == f"{image} is another image now"
    held = bench.driver.holding(web, runs)
    assert held.deployment.docker is not None
    assert (held.deployment.docker.image, held.deployment.docker.pull) == (f"sha256:{runs}", "never")
