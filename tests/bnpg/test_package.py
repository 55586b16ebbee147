"""What the packages hold: the wheel runs without the clone, and shows itself right on an index."""

import importlib.util
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from bnpg.__main__ import main

ROOT = Path(__file__).parents[2]
URL = "https://forge.example/group/bnpg"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    environment = os.environ | {"BNPG_URL": URL}
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env=environment)
    [found] = folder.glob("*.whl")
    return found


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
        return message_from_bytes(archive.read(name))


def test_the_wheel_has_types_pages_and_examples_and_no_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    packages = ("bnpg", "bnpg_agents", "bnpg_coordinator", "bnpg_files", "bnpg_math", "bnpg_protocol")
    assert {f"{package}/py.typed" for package in packages} <= names
    kept = {f"bnpg/{one.relative_to(ROOT).as_posix()}" for one in (ROOT / "examples").rglob("*.toml")}
    assert kept <= names
    assert {one for one in names if one.startswith("bnpg/report/templates/")}
    assert not [one for one in names if one.startswith(("tests/", "docs/", "benchmarks/"))]


def test_the_wheel_has_every_file_of_every_package(wheel: Path) -> None:
    """A pattern of .gitignore once kept a folder out of it."""
    places = ("agents/bnpg_agents", "bnpg", "bnpg_files", "bnpg_math", "coordinator/bnpg_coordinator")
    made = {".pyc", ".so", ".digest"}
    names = set(zipfile.ZipFile(wheel).namelist())
    for place in (ROOT / one for one in (*places, "protocol/bnpg_protocol")):
        files = [one for one in place.rglob("*") if one.is_file() and one.suffix not in made]
        assert {one.relative_to(place.parent).as_posix() for one in files} <= names


def test_the_source_package_can_be_built_again(wheel: Path) -> None:
    [source] = wheel.parent.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "hatch_build.py", "README.md", "examples/coordination.toml"} <= names


def test_an_index_shows_the_readme_with_links_that_lead_somewhere(wheel: Path) -> None:
    found = metadata(wheel)
    links = re.findall(r"\]\(([^)\s]+)\)", str(found.get_payload()))
    assert links
    assert all(link.startswith(("https://", "#")) for link in links), links
    for link in links:
        place = re.fullmatch(rf"{URL}/(?:blob|raw)/main/([^#]+)(?:#.*)?", link)
        assert place is None or (ROOT / place[1]).exists()
    addresses = dict(one.split(", ", 1) for one in found.get_all("Project-URL") or ())
    assert addresses["Homepage"] == URL
    classifiers = found.get_all("Classifier") or []
    assert {f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13)} <= set(classifiers)


def test_without_an_address_nothing_is_made_up() -> None:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    hook = module.CustomMetadataHook(str(ROOT), {})
    for url in ("", URL):
        found: dict[str, object] = {}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BNPG_URL", url)
            hook.update(found)
        assert bool(found["urls"]) == bool(url)


def test_the_wheel_trains_its_own_example_without_the_clone(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")  # noqa: S202 (just built)
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}

    def bnpg(*words: str) -> str:
        command = [sys.executable, "-P", "-m", "bnpg", *words]
        ran = subprocess.run(
            command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
        )
        return ran.stdout

    assert "coordination.toml" in bnpg("examples")
    bnpg("examples", "--out", "examples")
    assert '"state": "done"' in bnpg(
        "train", "examples/coordination.toml", "--rounds", "1", "--lanes", "8", "--launcher", "memory",
        "--quiet", "--json",
    )  # fmt: skip


def test_examples_are_listed_printed_and_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["examples"]) == 0
    listed = capsys.readouterr().out
    for one in ("coordination.toml", "faults/hang.toml", "gallery/certificates.py", "defaults"):
        assert re.search(rf"^  {one} +\S+", listed, re.M)
    assert main(["examples", "coordination.toml"]) == 0
    assert capsys.readouterr().out == (ROOT / "examples/coordination.toml").read_text()
    assert main(["examples", "faults", "--out", "plans"]) == 0
    assert (tmp_path / "plans" / "hang.toml").exists()
    assert main(["examples", "edge-sweep.toml", "--out", "deep/edge.toml"]) == 0
    assert (tmp_path / "deep" / "edge.toml").exists()
    assert main(["examples", "baselines"]) == 0


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["examples", "cordination.toml"], "did you mean 'coordination.toml'"),
        (["examples", "faults"], "is a folder"),
        (["examples", "--out", "there"], "never overwritten"),
        (["examples", "../README.md"], "there is no example"),
        (["examples", "--out", "/proc/there"], "cannot be written"),
    ],
)
def test_examples_that_cannot_be_had_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    assert main(command) == 2
    assert words in capsys.readouterr().err
