"""Whatever stands where a file is read: one line, the documented exit code, nothing lost, nobody hangs.

`BNPG_EDGES=N` tries N times as much, at random; without it always the same is tried.
"""

import json
import os
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from bnpg.lab.testing.odd_files import trial
from bnpg.lab.testing.odd_files.oddities import ODDITIES
from bnpg.lab.testing.odd_files.scenes import SCENES, Command
from bnpg.lab.testing.odd_files.trial import Stage
from bnpg.lab.testing.odd_files.variants import (
    JSON_VALUES,
    VALUES,
    array_variants,
    arrays,
    drop,
    json_text,
    npz_text,
    put,
    record_text,
    trace_text,
    ways,
)

EDGES = int(os.environ.get("BNPG_EDGES", "0"))
STAGES = [scene.name for scene in SCENES]
bounded = settings(
    max_examples=25 * max(EDGES, 1),
    derandomize=not EDGES,
    deadline=None,
    # What fails is told with all it takes to do it again; shrinking would run commands for minutes.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Stage]:
    made: dict[str, Stage] = {}

    def stage(name: str) -> Stage:
        if name not in made:
            [scene] = [one for one in SCENES if one.name == name]
            made[name] = Stage(scene, tmp_path_factory.mktemp("odd") / name)
        return made[name]

    return stage


def draw_reading(data: st.DataObject, stage: Stage, wanted: str = "") -> tuple[Command, str]:
    """Draw a command and a file that it reads."""
    commands = [*stage.scene.commands, *(stage.scene.slow if EDGES else ())]
    pairs = [
        (command, name)
        for command in commands
        for name in stage.files
        if command.read(name) and name.endswith(wanted)
    ]
    assume(pairs)
    return data.draw(st.sampled_from(pairs))


@pytest.mark.timeout(600 * max(EDGES, 1))
@pytest.mark.parametrize("scene", STAGES)
def test_any_oddity_in_the_place_of_any_file_is_one_line(stages: Callable[[str], Stage], scene: str) -> None:
    stage = stages(scene)

    @bounded
    @given(st.data())
    def try_one(data: st.DataObject) -> None:
        command, name = draw_reading(data, stage)
        what = data.draw(st.sampled_from(sorted(ODDITIES)))
        wrong = stage.attempt(command, name, lambda path: ODDITIES[what](path, stage.files[name]))
        assert wrong == [], (command.line, name, what)

    try_one()


@st.composite
def mutated(draw: st.DrawFn, document: Any, values: tuple[Any, ...]) -> Any:
    """A valid document in which one to three things are others, are missing, or are too many."""
    for _ in range(draw(st.integers(1, 3))):
        way = draw(st.sampled_from(list(ways(document))))
        match draw(st.sampled_from(["other", "other", "missing", "more"])):
            case "missing" if way:
                document = drop(document, way)
            case "more" if isinstance(document, dict):
                document = document | {draw(st.text(max_size=5)): draw(st.sampled_from(values))}
            case _:
                document = put(document, way, draw(st.sampled_from(values)))
    return document


def as_toml(document: Any) -> bytes:
    try:
        return tomli_w.dumps(document).encode()
    except (TypeError, ValueError, AttributeError):
        assume(False)
        raise AssertionError from None


@st.composite
def content(draw: st.DrawFn, name: str, valid: bytes) -> bytes:
    """What a file of that name may hold: of the right format, with something wrong about it."""
    if name.endswith(".json"):
        return json_text(draw(mutated(json.loads(valid), JSON_VALUES)))
    if name.endswith((".toml", ".key")):
        return as_toml(draw(mutated(tomllib.loads(valid.decode()), VALUES)))
    if name.endswith(".jsonl"):
        lines = [json.loads(line) for line in valid.splitlines()]
        at = draw(st.integers(0, len(lines) - 1))
        lines[at] = draw(mutated(lines[at], JSON_VALUES))
        return record_text(lines) if name.endswith("metrics.jsonl") else trace_text(lines)
    held = arrays(valid)
    at = draw(st.sampled_from(sorted(held)))
    _, other = draw(st.sampled_from(list(array_variants(held[at]))))
    return npz_text(held | {at: other})


@pytest.mark.timeout(600 * max(EDGES, 1))
@pytest.mark.parametrize("kind", [".json", ".toml", ".key", "metrics.jsonl", ".jsonl", ".npz"])
def test_a_document_with_something_wrong_about_it_is_one_line(
    stages: Callable[[str], Stage], kind: str
) -> None:
    @bounded
    @given(st.data())
    def try_one(data: st.DataObject) -> None:
        stage = stages(data.draw(st.sampled_from(STAGES)))
        command, name = draw_reading(data, stage, kind)
        held = data.draw(content(name, stage.files[name]))
        wrong = stage.attempt(command, name, lambda path: path.write_bytes(held))
        assert wrong == [], (command.line, name, held[:2000])

    try_one()


def test_the_trial_sees_what_is_wrong(tmp_path: Path, stages: Callable[[str], Stage]) -> None:
    """It would be of no use if it found nothing wrong with anything."""
    stage = stages("keys")
    command = Command("keys check {at}/keys", codes=frozenset({0}))
    [wrong] = stage.attempt(command, "keys/roster.toml", lambda path: path.write_bytes(b"[1"))
    assert wrong.startswith("code 2: ")
    lost = Command("keys revoke {at}/keys --agent 1", codes=frozenset({0, 2}))
    assert stage.attempt(lost, "keys/agent-0.key", lambda path: None) == [
        "changed: -keys/agent-1.key, keys/roster.toml after "
    ]


@pytest.mark.parametrize("what", ["transposed", "twice", "one axis more"])
def test_a_policy_of_another_shape_is_refused(stages: Callable[[str], Stage], what: str) -> None:
    stage = stages("done")
    held = arrays(stage.files["run/policy.npz"])
    other = npz_text(held | {"theta_1": dict(array_variants(held["theta_1"]))[what]})
    command = Command("resume {at}/run --quiet", codes=frozenset({2}), writes=True)
    assert stage.attempt(command, "run/policy.npz", lambda path: path.write_bytes(other)) == []


def test_a_command_that_hangs_where_nothing_can_be_raised_is_one_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def hangs(_words: list[str]) -> int:
        left: Any = type("Left", (), {"__del__": lambda _: time.sleep(60.0)})()
        del left
        return 0

    monkeypatch.setattr(trial, "SECONDS", 0.2)
    monkeypatch.setattr(trial, "main", hangs)
    ended = trial.run(["games"])
    assert ended.code == -1
    assert "Traceback" not in ended.err
    [wrong] = trial.complaints(Command("games"), "", ended, {}, {})
    assert wrong.startswith("hangs: ")
