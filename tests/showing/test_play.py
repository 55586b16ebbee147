"""`bnpg play`: episodes as a person sees them, and as a picture that moves."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bnpg.__main__ import main

MEMORY = ["--launcher", "memory", "--quiet", "--lanes", "8", "--rounds", "2"]
DRAWN = '''
import gymnasium
import numpy as np


class Pair(gymnasium.Env):
    """Two agents; it draws how often it was stepped."""

    def __init__(self, render_mode=None):
        self.action_space = gymnasium.spaces.Tuple([gymnasium.spaces.Discrete(2)] * 2)
        self.observation_space = gymnasium.spaces.Tuple([gymnasium.spaces.Discrete(3)] * 2)
        self.render_mode = render_mode

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return (0, 0), {}

    def step(self, action):
        self.steps += 1
        return (self.steps % 3, 0), float(action[0] == action[1]), self.steps == 4, False, {}

    def render(self):
        if self.render_mode != "rgb_array":
            return None
        return np.full((20, 30, 3), 40 * self.steps, dtype=np.uint8)


class Blind(Pair):
    def render(self):
        raise RuntimeError("no screen")
'''


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trained(*words: str) -> str:
    assert main(["train", *words, *MEMORY, "--out", "run"]) == 0
    return "run"


def pictures(file: Path) -> list[np.ndarray]:
    found = []
    with Image.open(file) as image:
        for number in range(image.n_frames):
            image.seek(number)
            found.append(np.asarray(image.convert("RGB")))
    return found


def test_an_episode_of_a_game(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained("coordination(agents=3)", "--horizon", "3")
    capsys.readouterr()
    assert main(["play", run, "--steps", "4"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[2].startswith("episode 0: return ")
    assert told[2].endswith(", cut after 4 steps")
    assert told[4].split() == ["step", "state", "0", "does", "1", "does", "2", "does", "reward"]
    assert len(told) == 9


def test_episodes_as_an_object_are_the_same_again(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained("relay", "--steps", "5")
    capsys.readouterr()
    found = []
    for _ in range(2):
        assert main(["play", run, "--episodes", "3", "--sampled", "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1]
    assert [one["over"] for one in found[0]["episodes"]] == [True] * 3
    for one in found[0]["episodes"]:
        assert one["return"] == sum(turn["reward"] for turn in one["turns"])
        assert all(len(turn["actions"]) == 4 for turn in one["turns"])


@pytest.mark.parametrize("kind", [".gif", ".webp", ".png"])
def test_a_team_is_drawn_on_its_graph(here: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    run = trained("coordination(agents=3)", "--horizon", "3")
    assert main(["play", run, "--steps", "3", "--episodes", "2", "--video", f"team{kind}"]) == 0
    taken = pictures(here / f"team{kind}")
    assert len(taken) == 6
    assert (taken[0] != taken[1]).any()
    assert "6 pictures" in capsys.readouterr().err


def test_an_environment_draws_itself(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gymnasium", reason="needs gymnasium: requirements/dev.txt")
    (here / "drawn.py").write_text(DRAWN)
    run = trained("drawn:Pair", "--steps", "8")
    assert main(["play", run, "--video", "pair.png"]) == 0
    sys.modules.pop("drawn", None)
    shades = [int(one[0, 0, 0]) for one in pictures(here / "pair.png")]
    # After the last step the next episode has begun.
    assert shades == [40, 80, 120, 0]
    capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere"], "nowhere does not exist; expected the folder of a run"),
        (["run", "--video", "film.mp4"], "expected a file .gif, .webp, .png"),
        (["run", "--video", "there.gif"], "there.gif exists already and is never overwritten"),
        (["run", "--video", "no/film.gif"], "there is no folder"),
        (["run", "--episodes", "0"], "at least 1"),
    ],
)
def test_what_cannot_be_is_one_line(here: Path, capsys, words: list[str], told: str) -> None:
    trained("climbing")
    (here / "there.gif").touch()
    capsys.readouterr()
    assert main(["play", *words]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert "Traceback" not in said


def test_an_environment_that_cannot_be_drawn_is_one_line(here: Path, capsys) -> None:
    pytest.importorskip("gymnasium", reason="needs gymnasium: requirements/dev.txt")
    (here / "drawn.py").write_text(DRAWN)
    trained("drawn:Blind", "--steps", "8")
    capsys.readouterr()
    assert main(["play", "run", "--video", "film.gif"]) == 2
    sys.modules.pop("drawn", None)
    assert "render raised RuntimeError: no screen" in capsys.readouterr().err
    assert not (here / "film.gif").exists()
