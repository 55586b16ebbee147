"""Whatever is wrong with an input: exit code 2, one line that says what, nothing left behind."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bnpg

Refused = Callable[..., str]
Arrays = dict[str, Any]


def poked(array: np.ndarray, index: tuple[int, ...], value: float) -> np.ndarray:
    changed = array.copy()
    changed[index] = value
    return changed


BAD_GAMES: dict[str, tuple[Callable[[Arrays], Arrays], str]] = {
    "nan in transition": (lambda g: {"transition": g["transition"] * [1.0, np.nan]}, "transition"),
    "nan reward": (lambda g: {"reward": poked(g["reward"], (0, 0, 0), np.nan)}, "reward"),
    "infinite reward": (lambda g: {"reward": poked(g["reward"], (0, 0, 0), np.inf)}, "reward"),
    "negative row": (lambda g: {"transition": 0 * g["transition"] + [-1.0, 2.0]}, "transition"),
    "row not one": (lambda g: {"transition": g["transition"] * 0.5}, "transition"),
    "initial not one": (lambda g: {"initial": np.array([0.5, 0.6])}, "initial"),
    "initial negative": (lambda g: {"initial": np.array([-0.5, 1.5])}, "initial"),
    "gamma 1": (lambda g: {"gamma": np.array(1.0)}, "gamma"),
    "gamma negative": (lambda g: {"gamma": np.array(-0.1)}, "gamma"),
    "gamma nan": (lambda g: {"gamma": np.array(np.nan)}, "gamma"),
    "gamma vector": (lambda g: {"gamma": np.array([0.5])}, "gamma"),
    "reward shape": (lambda g: {"reward": g["reward"][:, :, :2]}, "reward"),
    "initial shape": (lambda g: {"initial": np.ones(3) / 3}, "initial"),
    "transition flat": (lambda g: {"transition": np.ones(2)}, "transition"),
    "text": (lambda g: {"reward": np.full((2, 2, 3), "x")}, "reward"),
    "complex": (lambda g: {"reward": g["reward"] + 1j}, "reward"),
    "pickled": (lambda g: {"reward": np.array([{"a": 1}], dtype=object)}, "pickled"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_GAMES)
def test_a_bad_game_file_is_refused(refused: Refused, here: Path, game_arrays: Arrays, case: str) -> None:
    change, word = BAD_GAMES[case]
    np.savez(here / "bad.npz", **(game_arrays | change(game_arrays)))
    message = refused("train", "bad.npz", "--launcher", "memory")
    assert word in message
    assert "bad.npz" in message


@pytest.mark.parametrize("missing", ["transition", "reward", "initial", "gamma"])
def test_a_game_without_an_array_is_refused(
    refused: Refused, here: Path, game_arrays: Arrays, missing: str
) -> None:
    del game_arrays[missing]
    np.savez(here / "bad.npz", **game_arrays)
    assert missing in refused("train", "bad.npz")
    assert missing in refused("games", "export", "bad.npz", "out.npz")


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 half an archive", b"\x93NUMPY\x01\x00", b"\x80\x04K\x01."]
)
def test_a_file_that_is_no_archive_is_refused(refused: Refused, here: Path, content: bytes) -> None:
    (here / "bad.npz").write_bytes(content)
    assert "bad.npz" in refused("train", "bad.npz")
    assert "bad.npz" in refused("train", "climbing", "--initial", "bad.npz")


def test_files_that_cannot_be_read_are_refused(refused: Refused, here: Path) -> None:
    (here / "folder.npz").mkdir()
    (here / "folder.toml").mkdir()
    for path in ("folder.npz", "absent.npz", "folder.toml", "absent.toml"):
        assert path in refused("train", path)
        assert (
            path in refused("train", "climbing", "--initial", path.replace("toml", "npz")) or "toml" in path
        )
    if os.geteuid() != 0:
        (here / "secret.npz").touch(mode=0o000)
        assert "secret.npz" in refused("train", "secret.npz")


def test_settings_that_do_not_go_together_name_the_file_they_come_from(
    refused: Refused, run: Callable[..., Any], here: Path
) -> None:
    together = "critic is of update a2c and ppo, got update gradient"
    (here / "mine.toml").write_text('game = "climbing"\ncritic = "32"\n', encoding="utf-8")
    assert refused("train", "mine.toml") == f"mine.toml: {together}"
    beside = f"mine.toml and what is given beside it: {together}"
    assert refused("train", "mine.toml", "--rounds", 3) == beside
    assert refused("slurm-script", "mine.toml", "--nodes", 1, "--time", "1:00:00") == f"mine.toml: {together}"
    assert refused("coordinator", "mine.toml", "--listen", "tcp://127.0.0.1:0") == f"mine.toml: {together}"
    assert refused("train", "climbing", "--critic", "32") == together
    assert refused("train", "spread(agents=3, agents=4)") == "spread: agents is given twice"
    unknown = refused("train", "relay", "--policy", "mlp:4", "--update", "ppo", "--critic", "32")
    assert unknown.startswith("critic: a network must be written mlp:")
    with pytest.raises(bnpg.InputError, match=f"^mine.toml: {together}$"):
        bnpg.train("mine.toml")
    assert run("train", "climbing", "--rounds", 1, "--launcher", "memory", "--out", "first").code == 0
    experiment = here / "first" / "experiment.toml"
    text = experiment.read_text(encoding="utf-8")
    experiment.write_text(re.sub("(?m)^critic = .*$", 'critic = "32"', text), encoding="utf-8")
    message = refused("train", "--from", "first", "--dag", "empty")
    assert message == f"first/experiment.toml and what is given beside it: {together}"


def test_a_job_is_not_given_what_its_launcher_knows_nothing_of(refused: Refused) -> None:
    words = ("slurm-script", "climbing", "--nodes", 1, "--time", "1:00:00")
    assert refused(*words, "--address", "head:6379") == "address is of launcher ray, got launcher slurm"


BAD_POLICIES: dict[str, tuple[Callable[[Arrays], Arrays], str]] = {
    "nan": (lambda p: {"theta_0": poked(p["theta_0"], (0, 0, 0), np.nan)}, "theta_0"),
    "shape": (lambda p: {"theta_0": p["theta_0"][:, :2]}, "theta_0"),
    "other actions": (lambda p: {"theta_0": np.zeros((2, 3, 5))}, "action"),
    "other states": (lambda p: {"theta_0": np.zeros((4, 3, 2)), "theta_1": np.zeros((4, 3))}, "states"),
    "more agents": (lambda p: {"theta_2": np.zeros((2, 2))}, "agents"),
    "a gap": (lambda p: {"theta_3": np.zeros((2, 2))}, "theta_2"),
    "cycle": (lambda p: {"edges": np.array([[1, 0], [0, 1]])}, "cycle"),
    "out of range": (lambda p: {"edges": np.array([[7, 0]])}, "7"),
    "edges of floats": (lambda p: {"edges": np.array([[1.5, 0.0]])}, "edges"),
    "pickled": (lambda p: {"theta_0": np.array([None], dtype=object)}, "pickled"),
}


@pytest.mark.parametrize("case", BAD_POLICIES)
def test_a_bad_initial_policy_is_refused(
    refused: Refused, here: Path, game_file: Path, policy_arrays: Arrays, case: str
) -> None:
    change, word = BAD_POLICIES[case]
    np.savez(here / "bad.npz", **(policy_arrays | change(policy_arrays)))
    assert word in refused("train", game_file, "--initial", "bad.npz")


def test_a_policy_of_another_dag_is_refused(refused: Refused, game_file: Path, policy_file: Path) -> None:
    for dag in ("line", "empty", "0-1"):
        message = refused("train", game_file, "--initial", policy_file, "--dag", dag)
        assert "1-0" in message
        assert dag in message


BAD_OPTIONS: list[tuple[list[str], str]] = [
    (["--learning-rate", "nan"], "learning-rate"),
    (["--learning-rate", "inf"], "learning-rate"),
    (["--learning-rate", "0"], "learning-rate"),
    (["--learning-rate", "-1"], "learning-rate"),
    (["--learning-rate", "certifed"], "certified"),
    (["--step-size", "newton"], "step-size"),
    (["--step-size", "backtracking"], "step-size backtracking needs mode exact"),
    (["--step-size", "barzilai-borwein", "--mode", "sampled"], "step-size barzilai-borwein needs mode exact"),
    (["--direction", "natural"], "direction natural needs mode exact"),
    (["--momentum", "nesterov"], "momentum nesterov needs mode exact"),
    (["--mode", "exact", "--step-size", "barzilai-borwein", "--momentum", "nesterov"], "momentum none"),
    (
        ["--mode", "exact", "--direction", "natural", "--learning-rate", "certified", "--dag", "empty"],
        "step-size backtracking",
    ),
    (["--regularization", "nan"], "regularization"),
    (["--barrier", "heavy"], "barrier"),
    (["--barrier", "weighted", "--dag", "empty", "--stop-at-epsilon", "1"], "missing edges may cost"),
    (["--regularization", "-0.5"], "regularization"),
    (["--rounds", "-1"], "rounds"),
    (["--rounds", "2.5"], "rounds"),
    (["--rounds", "1e3"], "rounds"),
    (["--rounds", "9" * 30], "rounds"),
    (["--rounds", "9" * 15], "rounds"),
    (["--lanes", "0"], "lanes"),
    (["--lanes", "9" * 17], "lanes"),
    (["--horizon", "0"], "horizon"),
    (["--horizon", "9" * 17], "large"),
    (["--horizon", "geometrical"], "geometric"),
    (["--seed", "-1"], "seed"),
    (["--seed", str(2**63)], "seed"),
    (["--evaluate-every", "-1"], "evaluate-every"),
    (["--mode", "exakt"], "exact"),
    (["--baseline", "value"], "cross-fit"),
    (["--dag", "0-1,1-0"], "cycle"),
    (["--dag", "0-0"], "loop"),
    (["--dag", "0-9"], "0-9"),
    (["--dag", "0-1,0-1"], "twice"),
    (["--dag", "lien"], "line"),
    (["--dag", ""], "dag"),
    (["--dag", "absent.edges"], "absent.edges"),
    (["--dag", "x" * 5000], "too long"),
    (["--initial", "normla"], "normal"),
    (["--initial", ""], "initial"),
    (["--epochs", "1001"], "at most 1000, got '1001'"),
    (["--minibatches", "100000000"], "at most 1000, got '100000000'"),
    (["--launcher", "cloud"], "memory"),
    (["--address", "head:6379"], "address is of launcher ray, got launcher local"),
    (["--advertise", "here", "--launcher", "memory"], "advertise is of launcher slurm or ray"),
    (["--transport", "udp"], "tcp"),
    (["--patience", "0"], "patience"),
    (["--patience", "nan"], "patience"),
    (["--on-loss", "panic"], "fail"),
    (["--log-format", "xml"], "json"),
    (["--out", ""], "exists already"),
    (["--out", "x" * 5000], "too long"),
    (["--out", "/dev/null/run"], "directory"),
    (["--laness", "3"], "--lanes"),
    (["extra"], "extra"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "word"), BAD_OPTIONS, ids=lambda value: str(value)[:40])
def test_a_bad_option_is_refused(refused: Refused, options: list[str], word: str) -> None:
    assert word in refused("train", "climbing", *options)


@pytest.mark.parametrize(
    ("game", "word"),
    [
        ("coordinaton", "'coordination'"),
        ("nothing_like_it", "climbing"),
        ("coordination(agent=3)", "'agents'"),
        ("coordination(3)", "name"),
        ("coordination(agents=3.5)", "integer"),
        ("coordination(agents=99)", "99"),
        ("coordination(gamma=1)", "gamma"),
        ("coordination(epsilon=2)", "epsilon"),
        ("coordination(agents=__import__('os'))", "agents"),
        ("coordination(", "name"),
        ("", "game"),
        ("(" * 3000, "game"),
        ("x" * 5000, "x"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_game_that_does_not_exist_is_refused(refused: Refused, game: str, word: str) -> None:
    assert word in refused("train", game)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "game"),
        ("game = 3", "game"),
        ("game = 'climbing'\nlerning-rate = 0.1", "lerning-rate"),
        ("game = 'climbing'\nlearning_rate = 0.1", "learning_rate"),
        ("game = 'climbing'\nlearning-rate = nan", "learning-rate"),
        ("game = 'climbing'\nlearning-rate = inf", "learning-rate"),
        ("game = 'climbing'\nregularization = inf", "regularization"),
        ("game = 'climbing'\nlanes = 0", "lanes"),
        ("game = 'climbing'\nlanes = '7'", "lanes"),
        ("game = 'climbing'\nrounds = 1e3", "rounds"),
        ("game = 'climbing'\ndag = '0-1,1-0'", "cycle"),
        ("game = 'climbing'\nmode = 'x'", "mode"),
        ("game = 'climbing'\n[launch]\nlauncher = 'memory'", "launch"),
        ("game = 'climbing", "bad.toml"),
        ("game = 'climbing'\ngame = 'penalty'", "bad.toml"),
        ("game = 'climbing'\nx = " + "[" * 3000, "bad.toml"),
        ("game = 'absent.npz'", "absent.npz"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_experiment_file_is_refused(refused: Refused, here: Path, text: str, word: str) -> None:
    (here / "bad.toml").write_text(text)
    assert word in refused("train", "bad.toml")


def test_an_experiment_file_of_bytes_is_refused(refused: Refused, here: Path) -> None:
    (here / "bad.toml").write_bytes(b"\xff\xfe\x00game")
    assert "bad.toml" in refused("train", "bad.toml")


def test_a_certified_rate_that_would_be_infinite_is_refused(
    refused: Refused, here: Path, game_arrays: Arrays
) -> None:
    np.savez(here / "flat.npz", **(game_arrays | {"reward": np.ones((2, 2, 3))}))
    assert "certified" in refused("train", "flat.npz", "--learning-rate", "certified")


@pytest.mark.parametrize("what", ["file", "folder", "dangling link"])
def test_an_existing_out_is_refused(refused: Refused, here: Path, what: str) -> None:
    target = here / "taken"
    match what:
        case "file":
            target.touch()
        case "folder":
            target.mkdir()
        case _:
            target.symlink_to("nowhere")
    assert "exists already" in refused("train", "climbing", "--out", "taken")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["trian"], "'train'"),
        (["something-else"], "resume"),
        (["--nope"], "--nope"),
        (["train"], "GAME"),
        (["resume"], "DIR"),
        (["resume", "absent"], "absent"),
        (["resume", "."], "experiment.toml"),
        (["games", "exprot"], "'export'"),
        (["games", "export", "climbing"], "FILE"),
        (["games", "export", "climbing", "game.txt"], ".npz"),
        (["games", "export", "climbing", "absent/game.npz"], "absent"),
        (["games", "export", "coordination(agents=12)", "game.npz"], "GiB"),
    ],
)
def test_wrong_usage_is_refused(refused: Refused, arguments: list[str], word: str) -> None:
    assert word in refused(*arguments)


@pytest.mark.parametrize("json", [[], ["--json"]])
def test_a_process_says_the_same(here: Path, json: list[str]) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done: Any = subprocess.run(
        [sys.executable, "-m", "bnpg", "train", "climbing", "--dag", "0-1,1-0", *json],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "bnpg: error: edges must form no cycle, got 0 -> 1 -> 0\n"
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("setting", ["entropy", "seed", "mode", "update", "encoder", "launcher"])
def test_a_text_that_is_no_utf_8_is_refused_in_words_that_can_be_printed(here: Path, setting: str) -> None:
    with pytest.raises(bnpg.InputError) as caught:
        bnpg.train("climbing", **{setting: "\udcff"})
    assert str(caught.value).isprintable()
    assert r"\udcff" in str(caught.value)
