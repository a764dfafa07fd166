"""The wheel, installed on its own: nothing here reads the checkout once it is built."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
COLLECTION = "ansible_collections/provisioning/platform"
COMMANDS = [
    "provisioning",
    "provisioning-run",
    "provisioning-orchestrator",
    "provisioning-control-center",
    "provisioning-api-server",
    "provisioning-mcp-server",
]

Run = Callable[..., subprocess.CompletedProcess[str]]


def build(root: Path, folder: Path, *, version: str = "standard") -> Path:
    return Path(next(WheelBuilder(str(root)).build(directory=str(folder), versions=[version])))


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def sources_below(*folders: str) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "collections" not in path.parts
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def run(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A virtual environment with the wheel of this tree and, for all that it needs, the packages of the tests' own."""
    folder = tmp_path_factory.mktemp("installed")
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = venv / "bin/python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "install", "--no-deps"]
    subprocess.run([*pip, "--no-index", "--quiet", str(wheel)], check=True)
    # A folder that a .pth file adds has its own .pth files left unread: the link to the checkout stays out.
    site = venv / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    (site / "needed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        program, *arguments = command
        start = [str(python), "-m", "ansible", program.removeprefix("ansible-")]
        if not program.startswith("ansible-"):
            start = [str(venv / "bin" / program)]
        environment = {"PATH": f"{venv / 'bin'}:/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C.UTF-8"}
        return subprocess.run(
            [*start, *arguments],
            cwd=elsewhere,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    return run


def test_it_carries_the_packages_and_the_whole_collection(wheel: Path) -> None:
    of_the_collection = sources_below("examples", "meta", "playbooks", "plugins", "roles") | {"galaxy.yml", "README.md"}
    of_the_packages = {name.removeprefix("python/") for name in sources_below("python")}

    assert {f"{COLLECTION}/{name}" for name in of_the_collection} | of_the_packages <= names_in(wheel)


def test_it_carries_nothing_else(wheel: Path) -> None:
    names = names_in(wheel)
    beginnings = {name.split("/")[0] for name in names}
    of_the_package = {"provisioning_platform", "provisioning_services", f"{wheel.name.split('-py3')[0]}.dist-info"}
    assert beginnings == of_the_package | {"ansible_collections"}
    assert not [name for name in names if "__pycache__" in name or "/collections/" in name or "/tests/" in name]
    assert "ansible_collections/__init__.py" not in names, "would hide every other collection"


def test_one_built_from_the_source_archive_is_the_same(wheel: Path, tmp_path: Path) -> None:
    archive = Path(next(SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])))
    subprocess.run(["tar", "--extract", f"--file={archive}", f"--directory={tmp_path}"], check=True)

    again = build(tmp_path / archive.name.removesuffix(".tar.gz"), tmp_path / "again")

    assert names_in(again) == names_in(wheel)


def test_an_editable_install_links_to_the_tree_and_copies_nothing_of_the_collection(tmp_path: Path) -> None:
    link = build(ROOT, tmp_path, version="editable")

    with zipfile.ZipFile(link) as archive:
        folders = archive.read("_provisioning_platform.pth").decode().split()
    assert folders == [str(ROOT / "playbooks/collections"), str(ROOT / "python")]
    assert not [name for name in names_in(link) if name.startswith("ansible_collections")]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(run: Run, command: str) -> None:
    ended = run(command, "--help")

    assert ended.returncode == 0, ended.stderr
    assert "usage" in ended.stdout.lower()


def test_every_module_and_role_is_documented_under_its_full_name(run: Run) -> None:
    for kind, names in (
        ("module", [path.stem for path in (ROOT / "plugins/modules").glob("[a-z]*.py")]),
        ("role", [path.name for path in (ROOT / "roles").iterdir() if path.is_dir()]),
    ):
        ended = run("ansible-doc", "--type", kind, *(f"provisioning.platform.{name}" for name in names))

        assert ended.returncode == 0, ended.stderr
        assert [name for name in names if f"provisioning.platform.{name}" not in ended.stdout] == []
        assert str(ROOT) not in ended.stdout


@pytest.mark.parametrize("name", [path.stem for path in sorted((ROOT / "playbooks").glob("*.yml"))])
def test_each_playbook_is_found_under_its_full_name(run: Run, name: str) -> None:
    ended = run("ansible-playbook", "--syntax-check", f"provisioning.platform.{name}")

    assert ended.returncode == 0, ended.stderr
    assert COLLECTION in ended.stdout


def test_a_module_runs_under_its_full_name(run: Run, tmp_path: Path) -> None:
    ended = run("ansible-adhoc", "localhost", "-m", "provisioning.platform.service_info", "-a", f"work_dir={tmp_path}")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "SUCCESS" in ended.stdout
