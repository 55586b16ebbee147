"""Launchers and pools are found by name; one that lacks its package says so in one line."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from bnpg.__main__ import main
from bnpg.launchers import registry
from bnpg.launchers import settings as launch_settings
from bnpg.launchers.registry import Engine, find_launcher, find_pool
from bnpg.run_folder import read_settings
from bnpg_math.errors import InputError


def test_ours_are_there() -> None:
    from bnpg.launchers import local, memory

    assert find_launcher("local") is local.launch
    assert find_launcher("memory") is memory.launch
    assert find_pool("local").__name__ == "local_pool"


def test_a_package_brings_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def others(group: str) -> list[EntryPoint]:
        assert group == "bnpg.launchers"
        return [EntryPoint("elsewhere", "json:loads", group)]

    monkeypatch.setattr(registry, "entry_points", others)
    import json

    assert find_launcher("elsewhere") is json.loads


def test_who_is_not_there_is_named_with_those_who_are() -> None:
    with pytest.raises(InputError, match=r"--launcher: expected one of .*local, memory.*, got nowhere"):
        find_launcher("nowhere")


def test_what_is_missing_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.LAUNCHERS, "far", Engine("no.such", "launch", "no_such_package", "far"))
    with pytest.raises(InputError) as caught:
        find_launcher("far")
    expected = "--launcher far needs no_such_package, which is not installed: pip install 'bnpg[far]'"
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "climbing", "--launcher", "ray"], "--launcher ray needs ray"),
        (["sweep", "grid.toml", "--engine", "ray"], "--engine ray needs ray"),
        (["sweep", "grid.toml", "--engine", "slurm"], "--engine slurm needs submitit"),
        (["sweep", "grid.toml", "--engine", "moon"], "--engine: expected one of local, ray, slurm, got moon"),
    ],
)
def test_without_the_extra_there_is_one_line_and_no_folder(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "find_spec", lambda _name: None)
    (tmp_path / "grid.toml").write_text('[base]\ngame = "climbing"\n[grid]\nseed = [0, 1]\n')
    assert main([*words, "--out", "out"]) == 2
    told = capfd.readouterr()
    assert (told.out, len(told.err.splitlines())) == ("", 1)
    assert said in told.err
    assert not (tmp_path / "out").exists()


def test_no_engine_is_loaded_unless_it_is_asked_for(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from bnpg.__main__ import main\n"
        "assert main(['train', 'climbing', '--rounds', '1', '--quiet', '--no-fsync', '--out', 'run']) == 0\n"
        "assert not {'ray', 'submitit'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-P", "-c", program]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == 0, ran.stderr


def test_a_launcher_of_a_package_is_a_setting_like_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def others(group: str) -> list[EntryPoint]:
        assert group == "bnpg.launchers"
        return [EntryPoint("elsewhere", "bnpg.launchers.memory:launch", group)]

    monkeypatch.setattr(registry, "entry_points", others)
    monkeypatch.setattr(launch_settings, "entry_points", others)
    run = ["train", "climbing", "--rounds", "2", "--launcher", "elsewhere", "--no-fsync", "--quiet"]
    assert main([*run, "--out", str(tmp_path / "run")]) == 0
    assert read_settings(tmp_path / "run" / "launch.toml").launcher == "elsewhere"
    assert main(["resume", str(tmp_path / "run")]) == 0
    run[run.index("elsewhere")] = "elsewere"
    capfd.readouterr()
    assert main([*run, "--out", str(tmp_path / "none")]) == 2
    told = capfd.readouterr().err
    assert "'ray' or 'elsewhere', got 'elsewere'; did you mean 'elsewhere'?" in told
    assert len(told.splitlines()) == 1
    assert not (tmp_path / "none").exists()
