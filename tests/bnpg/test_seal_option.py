"""A key to seal with is looked at before anything is made for a run."""

import json
import shutil
import stat
from pathlib import Path

import pytest

from bnpg.run_folder import read_settings

TRAIN = ("train", "coordination(agents=2)", "--rounds", 2, "--launcher", "memory")


def test_a_key_is_made_never_overwritten_and_its_place_remembered(run, here: Path) -> None:
    assert run("keys", "seal", "team.seal").code == 0
    assert stat.S_IMODE(Path("team.seal").stat().st_mode) == 0o600
    again = run("keys", "seal", "team.seal")
    assert (again.code, "never overwritten" in again.err) == (2, True)
    assert run(*TRAIN, "--seal", "team.seal", "--out", "run").code == 0
    assert read_settings(Path("run/launch.toml")).seal == str(here / "team.seal")
    assert sorted(file.name for file in Path("run/sealed").iterdir()) == [
        f"agent-{agent}.{parity}" for agent in (0, 1) for parity in (0, 1)
    ]


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [(None, 0, "No such file"), ("seal = 1", 0o600, "made by `bnpg keys seal`"), ("", 0o644, "mode 0644")],
)
def test_one_that_cannot_be_used_is_one_line_and_nothing_is_made(
    run, here: Path, content: str | None, mode: int, why: str
) -> None:
    key = here / "k.seal"
    if content is not None:
        key.write_text(content)
        key.chmod(mode)
    ended = run(*TRAIN, "--seal", key, "--out", "run")
    assert ended.code == 2
    [line] = ended.err.splitlines()
    assert f"--seal {key}" in line
    assert why in line
    assert not Path("run").exists()


@pytest.mark.parametrize("lost", [("agent-1",), ("agent-0", "agent-1")])
def test_a_run_in_one_process_goes_on_with_what_is_sealed(run, here: Path, lost: tuple[str, ...]) -> None:
    assert run("keys", "seal", "team.seal").code == 0
    whole = json.loads(run(*TRAIN, "--rounds", 4, "--out", "whole", "--json").out)
    half = run(*TRAIN, "--seal", "team.seal", "--trace", "--out", "run")
    assert half.code == 0
    file = Path("run/experiment.toml")
    file.write_text(file.read_text().replace("rounds = 2\n", "rounds = 4\n"))
    for name in lost:
        shutil.rmtree(Path("run/agents") / name)
    ended = run("resume", "run", "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["policy_digest"] == whole["policy_digest"]
    checked = run("trace", "check", "run")
    assert checked.code == 0, checked.out + checked.err


@pytest.mark.parametrize("content", [b"", b"nonsense", b"BNPGSEAL" + bytes(100)])
def test_a_folder_with_a_broken_one_is_refused_as_it_is(run, here: Path, content: bytes) -> None:
    assert run("keys", "seal", "team.seal").code == 0
    assert run(*TRAIN, "--seal", "team.seal", "--out", "run").code == 0
    file = Path("run/experiment.toml")
    file.write_text(file.read_text().replace("rounds = 2\n", "rounds = 3\n"))
    Path("run/sealed/agent-0.1").write_bytes(content)
    before = {one: one.read_bytes() for one in Path("run").rglob("*") if one.is_file()}
    ended = run("resume", "run")
    assert ended.code == 2
    assert "run/sealed/agent-0.1" in ended.err.splitlines()[-1]
    assert {one: one.read_bytes() for one in Path("run").rglob("*") if one.is_file()} == before


@pytest.mark.parametrize("lost", [("agent-1",), ("agent-0", "agent-1")])
def test_with_another_key_the_line_says_what_does_not_open_and_without_the_copies_it_begins_again(
    run, here: Path, lost: tuple[str, ...]
) -> None:
    for name in ("team", "other"):
        assert run("keys", "seal", f"{name}.seal").code == 0
    whole = json.loads(run(*TRAIN, "--rounds", 4, "--out", "whole", "--json").out)
    assert run(*TRAIN, "--seal", "team.seal", "--out", "run").code == 0
    file = Path("run/experiment.toml")
    file.write_text(file.read_text().replace("rounds = 2\n", "rounds = 4\n"))
    for name in lost:
        shutil.rmtree(Path("run/agents") / name)
    ended = run("resume", "run", "--quiet", "--seal", "other.seal")
    assert ended.code == 6
    [line] = [one for one in ended.err.splitlines() if one.startswith("bnpg: error: ")]
    assert "the sealed checkpoint of round 1 does not open" in line
    assert json.loads(Path("run/summary.json").read_text())["why"] in line
    shutil.rmtree("run/sealed")
    assert run("resume", "run", "--quiet").code == 6
    ended = run("resume", "run", "--json", "--on-lost-state", "restart")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["policy_digest"] == whole["policy_digest"]


def test_a_key_that_is_gone_is_told_with_the_file_that_names_it(run, here: Path) -> None:
    assert run("keys", "seal", "team.seal").code == 0
    assert run(*TRAIN, "--seal", "team.seal", "--out", "run").code == 0
    Path("team.seal").unlink()
    ended = run("resume", "run", "--rounds", 3, "--quiet")
    assert ended.code == 2
    key = here / "team.seal"
    assert ended.err == f"bnpg: error: run/launch.toml: seal {key}: No such file or directory\n"
