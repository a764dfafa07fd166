# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Updates of containers whose image moved: its name stays and means another one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition, ServiceOperation
from ansible_collections.provisioning.platform.plugins.module_utils._operations import operate
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Settings
from ansible_collections.provisioning.platform.plugins.module_utils._update import Update

from tests.fixtures.docker_bench import service
from tests.fixtures.images import build_image

RUNS = ("sleep", "600")


class Moving:
    """A service out of an image that is built anew under its old name."""

    def __init__(self, work_dir: Path, engine: str, engine_url: str, api: docker.APIClient) -> None:
        self.api = api
        self.work_dir = work_dir
        self.image = f"provisioning-test/moving-{uuid.uuid4().hex[:10]}:1"
        self.ids = [self.build("1")]
        self.settings = Settings(project=f"t{uuid.uuid4().hex[:10]}", engine=engine, engine_url=engine_url)
        self.web = service(docker={"image": self.image, "pull": "never"})
        manager = Manager(work_dir, {"web": self.web}, self.settings)
        operate(manager, ServiceOperation(operation="start"))
        manager.save_settings()

    def build(self, number: str, *, command: tuple[str, ...] = RUNS) -> str:
        return build_image(self.api, self.image, files={"/version": number}, command=command)

    def move(self, *, command: tuple[str, ...] = RUNS) -> None:
        self.ids.append(self.build(str(len(self.ids) + 1), command=command))

    def update(self, web: ServiceDefinition | None = None) -> Update:
        return Update(self.work_dir, {"web": web or self.web}, self.settings)

    def running(self) -> str:
        """The id of the image that runs."""
        found = self.api.inspect_container(f"{self.settings.project}-web")
        assert found["State"]["Running"]
        return str(found["Image"]).removeprefix("sha256:")

    def close(self) -> None:
        manager = Manager.open(self.work_dir)
        operate(manager, ServiceOperation(operation="remove", force=True))
        manager.clean(purge=True)
        for image in self.ids:
            self.api.remove_image(image, force=True)


@pytest.fixture
def moving(tmp_path: Path, engine: str, engine_url: str, api: docker.APIClient) -> Iterator[Moving]:
    made = Moving(tmp_path / "work", engine, engine_url, api)
    yield made
    made.close()


def is_image(running: str, image: str) -> bool:
    return running == image.removeprefix("sha256:")


def test_an_image_that_moved_is_taken_and_a_bad_one_is_given_back(moving: Moving) -> None:
    assert not any(step.is_new for step in moving.update().plan())
    moving.move()
    assert [step.reason for step in moving.update().plan()] == [f"{moving.image} is another image now"]
    assert is_image(moving.running(), moving.ids[0])
    assert [one.result for one in moving.update().carry_out()] == ["updated"]
    assert is_image(moving.running(), moving.ids[1])
    assert not any(step.is_new for step in moving.update().plan())

    moving.move(command=("no-such-program",))
    assert [one.result for one in moving.update().carry_out()] == ["restored"]
    assert is_image(moving.running(), moving.ids[1])
    # What is written down means what runs, whatever the name means now.
    operate(Manager.open(moving.work_dir), ServiceOperation(operation="restart"))
    assert is_image(moving.running(), moving.ids[1])

    moving.move()
    assert [one.result for one in moving.update().carry_out()] == ["updated"]
    assert is_image(moving.running(), moving.ids[3])
