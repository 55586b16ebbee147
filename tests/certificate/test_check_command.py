"""`bnpg certificate check` and the stand-alone script: what holds is confirmed, what was changed is found."""

import ast
import json
import shutil
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnpg.certified import exact_check
from bnpg_math.games.file import save_game
from bnpg_math.games.registry import game as find_game
from bnpg_math.policies.file import load_policy, save_policy
from bnpg_math.policies.joint import Policy

RUNS: dict[str, dict[str, Any]] = {
    "built-in": {"game": "coordination(agents=3)", "dag": "line"},
    "one state": {"game": "climbing", "dag": "complete", "regularization": 0.1},
    "certified by a lemma": {"game": "penalty", "regularization": 1.0, "learning_rate": 0.05, "rounds": 1500},
    "stopped early": {
        "game": "climbing",
        "dag": "complete",
        "stop_at_epsilon": 0.5,
        "learning_rate": 1.0,
        "rounds": 500,
    },
    "not gathered": {"game": "random(states=4, seed=3)", "dag": "0-1"},
    "momentum": {"game": "penalty", "momentum": "nesterov", "step_size": "backtracking"},
    "saturated": {"game": "climbing", "dag": "complete", "learning_rate": 1e4, "rounds": 8},
    "sampled": {"game": "stag_hunt", "mode": "sampled", "lanes": 4, "save_policy": True},
}


@pytest.mark.parametrize("name", RUNS)
def test_a_certificate_holds_and_the_script_agrees_with_the_command(done, command, script, name: str) -> None:
    folder = done(**RUNS[name])
    code, found, said = command(folder)
    assert (code, found["holds"], found["violations"], said) == (0, True, [], "")
    proved = json.loads((folder / "certificate.json").read_text())["proved"]
    assert [(entry["claim"], entry["by"], entry["epsilon"]) for entry in found["entries"]] == [
        (entry["claim"], entry["by"], entry["epsilon"]) for entry in proved
    ]
    assert all(entry["at_most"] <= entry["epsilon"] for entry in found["entries"])
    assert script(folder) == (code, found, said)


def test_the_script_imports_nothing_but_the_standard_library() -> None:
    tree = ast.parse(Path(exact_check.__file__).read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)


@pytest.fixture
def game_file(tmp_path: Path) -> Path:
    """A game whose rows sum to 1 in no exact arithmetic, and to less in single precision."""
    path = tmp_path / "game.npz"
    save_game(find_game("random(states=3, seed=5)"), path)
    with np.load(path) as arrays:
        changed = dict(arrays)
    changed["transition"] = changed["transition"].astype(np.float32)
    np.savez(path, **changed)
    return path


def test_a_game_file_is_read_as_it_is_written(done, command, script, game_file: Path) -> None:
    folder = done(game=str(game_file), dag="0-1", save_policy=True)
    assert command(folder)[0] == 0
    assert command(folder) == script(folder)


def entry_made_smaller(folder: Path) -> None:
    file = folder / "certificate.json"
    certificate = json.loads(file.read_text())
    certificate["proved"][0]["epsilon"] *= 1 - 1e-9
    file.write_text(json.dumps(certificate))


def lemma_added(folder: Path) -> None:
    file = folder / "certificate.json"
    certificate = json.loads(file.read_text())
    certificate["proved"].append({"claim": "epsilon-nash", "epsilon": 0.0, "by": "Lemma 2, tight form"})
    file.write_text(json.dumps(certificate))


def other_policy(folder: Path) -> None:
    policy = load_policy(folder / "policy.npz")
    thetas = [theta.copy() for theta in policy.thetas]
    thetas[0].flat[0] += 1e-12
    save_policy(Policy(policy.dag, tuple(thetas)), folder / "policy.npz")


def other_edges(folder: Path) -> None:
    file = folder / "certificate.json"
    certificate = json.loads(file.read_text())
    certificate["dag"] = []
    file.write_text(json.dumps(certificate))


def other_game(folder: Path) -> None:
    with np.load(folder / "game.npz") as arrays:
        changed = dict(arrays)
    changed["reward"].flat[0] -= 1e-12
    np.savez(folder / "game.npz", **changed)


def called_certified(folder: Path) -> None:
    file = folder / "certificate.json"
    certificate = json.loads(file.read_text())
    certificate |= {"certified": True, "stop_gap": "optimality", "stop_at_epsilon": 1e-6}
    file.write_text(json.dumps(certificate))


TAMPERINGS = {
    called_certified: "a gap (optimality) of 1e-06 is called certified and is not proved",
    entry_made_smaller: "is false: the gap is at least",
    lemma_added: "(Lemma 2, tight form) is false",
    other_policy: "the policy is another one",
    other_edges: "the DAG is another one",
    other_game: "the game is another one: its game_sha256",
}


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: tamper.__name__)
def test_what_was_changed_is_found(done, command, script, game_file: Path, tamper) -> None:
    folder = done(game=str(game_file), dag="0-1", save_policy=True)
    tamper(folder)
    for checked in (command, script):
        code, found, _ = checked(folder)
        assert (code, found["holds"]) == (5, False)
        assert any(TAMPERINGS[tamper] in violation for violation in found["violations"])
    assert "violation: " in command(folder)[2]


def test_a_smaller_epsilon_is_called_false_with_what_the_gap_is_at_least(done, command) -> None:
    folder = done(game="climbing")
    entry_made_smaller(folder)
    _, found, said = command(folder)
    entry = found["entries"][0]
    assert entry["holds"] is False
    assert entry["epsilon"] < entry["at_least"] <= entry["at_most"]
    assert "is false: the gap is at least" in said


def test_the_game_that_is_kept_for_the_script_is_that_of_the_run(done, command) -> None:
    folder = done(game="climbing")
    with np.load(folder / "certificate.npz") as arrays:
        changed = dict(arrays)
    changed["reward"] = changed["reward"] + 1.0
    np.savez(folder / "certificate.npz", **changed)
    code, found, _ = command(folder)
    assert code == 5
    assert found["violations"] == ["the game in certificate.npz is not that of the run"]


@pytest.mark.parametrize("vectors", ["missing", "bad"])
def test_vectors_that_prove_nothing_are_found_anew(done, command, script, vectors: str) -> None:
    folder = done(**RUNS["not gathered"])
    if vectors == "missing":
        (folder / "certificate.npz").unlink()
        assert script(folder)[0] == 2
    else:
        with np.load(folder / "certificate.npz") as arrays:
            changed = dict(arrays)
        changed["value"] = changed["value"] * 2
        np.savez(folder / "certificate.npz", **changed)
        code, found, _ = script(folder)
        assert code == 5
        assert "is not proved" in found["violations"][0]
    assert command(folder)[0] == 0


def test_what_cannot_be_checked_is_refused_in_one_line(done, command, script, tmp_path: Path) -> None:
    folder = done(game="climbing")

    def damaged(name: str, content: bytes | None, kind: str) -> Path:
        copy = tmp_path / f"{name}-{kind}"
        shutil.copytree(folder, copy)
        if content is None:
            (copy / name).unlink()
        else:
            (copy / name).write_bytes(content)
        return copy

    shutil.copytree(folder / "agents", tmp_path / "agents")
    bad = [
        tmp_path / "nothing",
        tmp_path / "agents",
        damaged("certificate.json", None, "missing"),
        damaged("certificate.json", b"{", "torn"),
        damaged("certificate.json", b"[]", "list"),
        damaged("certificate.json", b'{"proved": [{"claim": "epsilon-nash"}], "rounds": 3}', "foreign"),
        damaged("certificate.json", b'{"proved": 3, "rounds": 3}', "number"),
        damaged("certificate.npz", (folder / "certificate.npz").read_bytes()[:-99], "torn"),
        damaged("certificate.npz", b"", "empty"),
    ]
    for place in bad:
        for checked in (command, script):
            code, found, said = checked(place)
            assert (code, found) == (2, {})
            assert said.count("\n") == 1
            assert "error: " in said


@pytest.mark.parametrize(
    ("file", "changes", "why"),
    [
        ("game.npz", {"initial": lambda old: -np.ones_like(old)}, "the game is none: "),
        ("game.npz", {"initial": lambda old: old[1:]}, "states do not fit each other"),
        ("policy.npz", {"edges": lambda old: old[:0]}, "theta_1 does not fit the game"),
        ("policy.npz", {"theta_0": lambda old: old * np.nan}, "theta_0 must be finite"),
    ],
)
def test_what_does_not_fit_names_the_file_that_says_so(
    done, game_file: Path, capsys: pytest.CaptureFixture[str], file: str, changes: dict[str, Any], why: str
) -> None:
    folder = done(game=str(game_file), dag="0-1", save_policy=True)
    with np.load(folder / file) as arrays:
        changed = {name: changes[name](arrays[name]) if name in changes else arrays[name] for name in arrays}
    np.savez(folder / file, **changed)
    assert exact_check.main([str(folder)]) == 2
    assert f"exact_check: error: {folder / file}: {why}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': [[1, 2]], 'fortran_order': False, 'shape': (1,)}",
        "{'descr': [('theta', '<f8', ('x',))], 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1e400,)}",
        "[" * 5000,
        "None",
    ],
)
def test_whatever_stands_in_the_head_of_an_array_is_one_line(header: str) -> None:
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(8)
    for length in range(len(content)) if len(content) < 200 else [len(content)]:
        with pytest.raises(exact_check.CheckError, match=r"^it is") as refused:
            exact_check.read_npy(content[:length], "it")
        assert "\n" not in str(refused.value)


def test_a_game_that_would_take_hours_is_refused(done, command, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = done(game="climbing")
    monkeypatch.setattr("bnpg.certified.checking.LARGEST", 10)
    code, _, said = command(folder)
    assert code == 2
    assert "the work" in said
