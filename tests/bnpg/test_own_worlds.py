"""Whole runs of a World of one's own that fails: told in a line, and gone on from when it is mended."""

import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from bnpg_protocol.wire.exit_codes import ExitCode

import bnpg
from bnpg.api.training import RunFailed
from bnpg_math.errors import InputError

OWN = Path(__file__).parents[1] / "coordinator" / "environments" / "own_worlds.py"
OPTIONS = {"dag": "empty", "rounds": 4, "lanes": 8, "steps": 8, "learning_rate": 0.5, "discount": 1.0}


@pytest.fixture(autouse=True)
def own(here, monkeypatch):
    """The folder in which the module of the World is, and where runs that fail stay behind."""
    shutil.copy(OWN, here)
    monkeypatch.setattr(tempfile, "tempdir", str(here))
    monkeypatch.delitem(sys.modules, "own_worlds", raising=False)
    yield here
    sys.modules.pop("own_worlds", None)


@pytest.fixture
def failing(own):
    return own / "failing"


RAISED = "the environment raised ValueError: own trouble in two lines"
CASES = [
    ("begin raises", ExitCode.WORLD, f"round 0, lanes 0 to 7, step 0: {RAISED}"),
    ("step exits", ExitCode.WORLD, "round 0, lanes 0 to 7, step 0: the environment raised SystemExit: 3"),
    (
        "step cancels",
        ExitCode.WORLD,
        "lanes 0 to 7, step 0: the environment raised CancelledError: by itself",
    ),
    ("step none", ExitCode.WORLD, r"round 0, lanes 0 to 7, step 0: step\(\) must return a Seen of 8 lanes"),
    ("step hangs", ExitCode.DEADLINE, "round 0, lanes 0 to 7, step 0: the environment hangs, no answer for"),
    ("prepare raises", ExitCode.WORLD, f"round 0, lanes 0 to 7, step 0, prepare\\(\\): {RAISED}"),
    ("rewards raises", ExitCode.WORLD, f"round 0, lanes 0 to 7, step 8, rewards\\(\\): {RAISED}"),
    ("strata raises", ExitCode.WORLD, f"round 0, lanes 0 to 7, step 8, strata\\(\\): {RAISED}"),
    ("ends exits", ExitCode.WORLD, r"round 0, lanes 0 to 7, step 8, ends\(\): the environment raised Sys"),
    ("later raises", ExitCode.WORLD, f"round 2, lanes 0 to 7, step 0: {RAISED}"),
]


@pytest.mark.parametrize(("how", "code", "why"), CASES)
@pytest.mark.parametrize("at_hand", [False, True])
def test_one_that_fails_leaves_a_run_that_goes_on_when_it_is_mended(failing, how, code, why, at_hand):
    sys.path.insert(0, str(failing.parent))
    try:
        import own_worlds  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(failing.parent))
    plain = bnpg.train("own_worlds:make", **OPTIONS)
    given = {"env": own_worlds.OwnWorld()} if at_hand else {"game": "own_worlds:make"}
    failing.write_text(how)
    with pytest.raises(RunFailed, match=why) as failed:
        bnpg.train(**given, **OPTIONS, patience=1.0)
    assert failed.value.code == code
    failing.unlink()
    again = {"env": given["env"]} if at_hand else {}
    resumed = bnpg.resume(failed.value.folder, **again)
    assert resumed.summary["policy_digest"] == plain.summary["policy_digest"]


def test_commands_and_the_local_launcher_end_with_the_code_and_one_line(run, failing):
    train = ("train", "own_worlds:make", "--rounds", 2, "--lanes", 8, "--steps", 8, "--quiet")
    failing.write_text("step raises")
    for launcher in ("memory", "local"):
        ended = run(*train, "--launcher", launcher, "--out", launcher)
        assert ended.code == ExitCode.WORLD, ended
        assert f"step 0: {RAISED}" in ended.err
        assert "Traceback" not in ended.err
    assert run("resume", "memory", "--quiet").code == ExitCode.WORLD
    checked = run("env", "check", "own_worlds:make")
    assert checked.code == ExitCode.VIOLATION
    assert RAISED in checked.err
    failing.unlink()
    assert run("resume", "local", "--quiet").code == ExitCode.DONE
    failing.write_text("begin exits")
    for command in (("play", "local"), ("edges", "local"), ("best-response", "local")):
        ended = run(*command)
        assert ended.code == ExitCode.WORLD, ended
        assert "the environment raised SystemExit: 3" in ended.err
        assert ended.err.count("\n") == 1


def test_a_critic_is_refused_where_nothing_follows_and_not_where_the_world_fails(own, failing):
    critic = {**OPTIONS, "update": "a2c", "policy": "mlp:8"}
    failing.write_text("begin raises")
    with pytest.raises(RunFailed, match=RAISED) as failed:
        bnpg.train("own_worlds:make", **critic)
    failing.unlink()
    assert bnpg.resume(failed.value.folder).summary["rounds"] == 4
    (own / "own_worlds.py").write_text(OWN.read_text().replace("def following", "def followed"))
    sys.modules.pop("own_worlds")
    with pytest.raises(InputError, match="needs a world that says what came after a last step"):
        bnpg.train("own_worlds:make", **critic)


@pytest.mark.parametrize(("how", "code"), [("raises", ExitCode.WORLD), ("hangs", ExitCode.DEADLINE)])
def test_episodes_of_a_world_that_fails_are_told_by_an_error_of_the_interface(failing, how, code):
    trained = bnpg.train("own_worlds:make", **OPTIONS, patience=1.0)
    failing.write_text(f"step {how}")
    with pytest.raises(bnpg.RunFailed, match="lane 0, step 0: the environment") as failed:
        trained.episodes()
    assert (failed.value.code, failed.value.folder) == (code, None)
