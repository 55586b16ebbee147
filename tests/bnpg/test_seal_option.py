"""A key to seal with is looked at before anything is made for a run."""

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
