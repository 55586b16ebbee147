"""`bnpg evaluate`, certificates, and training until something is certified."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from bnpg.__main__ import main
from bnpg_math.equilibrium import best_response
from bnpg_math.games.registry import game as find_game
from bnpg_math.policy_file import load_policy

KEYS = {
    "value", "value_per_state", "optimal_value", "optimality_gap", "nash_gap", "nash_gap_per_agent",
    "objective",
    "gradient_norm", "gradient_max", "mismatch", "bounds",
}  # fmt: skip
GAME = "coordination(agents=2)"


def train(folder: Path, *options: str, game: str = GAME) -> dict:
    base = [
        "train",
        game,
        "--mode",
        "exact",
        "--launcher",
        "memory",
        "--out",
        str(folder),
        "--quiet",
        "--json",
    ]
    assert main([*base, "--save-policy", *options]) == 0
    return json.loads((folder / "summary.json").read_text())


def evaluate(capsys: pytest.CaptureFixture[str], *options: str) -> dict:
    capsys.readouterr()
    assert main(["evaluate", *options, "--json", "--quiet"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_keys_are_those_promised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(tmp_path / "run", "--rounds", "3")
    found = evaluate(capsys, GAME, "--policy", str(tmp_path / "run/policy.npz"))
    assert set(found) >= KEYS
    assert found["mismatch"] is None
    assert found["mismatch_reason"]
    assert set(found["bounds"]) == {"lemma_2", "lemma_3", "lemma_4"}
    for forms in found["bounds"].values():
        assert set(forms) == {"printed", "corrected", "tight"}
        assert all({"threshold", "met", "bound", "measured", "holds"} <= set(form) for form in forms.values())


def test_a_saved_policy_has_the_very_numbers_of_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = train(tmp_path / "run", "--rounds", "7", "--regularization", "0.01", "--initial", "normal")
    policy = str(tmp_path / "run/policy.npz")
    found = evaluate(capsys, GAME, "--policy", policy, "--regularization", "0.01", "--mismatch")
    for key in ("value", "nash_gap", "optimality_gap", "objective", "gradient_norm"):
        assert found[key] == summary[key]
    certificate = json.loads((tmp_path / "run/certificate.json").read_text())
    assert {key: found[key] for key in KEYS} == {key: certificate[key] for key in KEYS}
    assert certificate["policy_digest"] == found["policy_digest"] == summary["policy_digest"]
    assert certificate["mismatch"] == pytest.approx(35.5, abs=0.05)


def test_gradient_and_best_responses_can_be_had(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(tmp_path / "run", "--rounds", "2")
    policy = tmp_path / "run/policy.npz"
    files = ["--gradient-out", str(tmp_path / "g.npz"), "--best-response", str(tmp_path / "b.npz")]
    found = evaluate(capsys, GAME, "--policy", str(policy), *files)
    gradient = np.load(tmp_path / "g.npz")
    assert math.sqrt(
        sum(float((gradient[f"grad_{agent}"] ** 2).sum()) for agent in range(2))
    ) == pytest.approx(found["gradient_norm"])
    loaded = load_policy(policy)
    answer = best_response(find_game(GAME), loaded.dag, loaded.tables, 1)
    np.testing.assert_array_equal(np.load(tmp_path / "b.npz")["pi_1"], answer.policy)


@pytest.mark.parametrize(
    ("form", "sign"), [("table", "Lemma 2"), ("latex", r"\begin{tabular}"), ("csv", "Nash gap,")]
)
def test_people_get_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, sign: str) -> None:
    train(tmp_path / "run", "--rounds", "1")
    capsys.readouterr()
    assert main(["evaluate", GAME, "--policy", str(tmp_path / "run/policy.npz"), "--format", form]) == 0
    assert sign in capsys.readouterr().out


def test_an_infinite_mismatch_is_said_and_its_state_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(tmp_path / "run", "--rounds", "1", game="slotted_aloha")
    found = evaluate(capsys, "slotted_aloha", "--policy", str(tmp_path / "run/policy.npz"), "--mismatch")
    assert found["mismatch"] is None
    assert "state 0" in found["mismatch_reason"]


def test_a_policy_of_another_game_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(tmp_path / "run", "--rounds", "1")
    capsys.readouterr()
    assert main(["evaluate", "climbing", "--policy", str(tmp_path / "run/policy.npz")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("gap", ["nash", "optimality"])
def test_training_stops_when_the_gap_is_certified(tmp_path: Path, gap: str) -> None:
    options = [
        "--dag",
        "complete",
        "--learning-rate",
        "certified",
        "--stop-gap",
        gap,
        "--stop-at-epsilon",
        "0.5",
    ]
    summary = train(tmp_path / "run", "--rounds", "5000", *options, game="penalty")
    assert summary["rounds"] < 5000
    assert summary["nash_gap" if gap == "nash" else "optimality_gap"] <= 0.5
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["round"] == summary["rounds"] == len(lines) - 1
    certificate = json.loads((tmp_path / "run/certificate.json").read_text())
    lemma = "Lemma 2, tight form" if gap == "nash" else "Lemma 3, tight form"
    claims = {claim["by"]: claim["epsilon"] for claim in certificate["proved"]}
    assert claims[lemma] == pytest.approx(0.5)
    assert certificate["predicted_rounds"]["theorem_1"]["tight"]["rounds"] >= summary["rounds"]
    earlier = train(tmp_path / "earlier", "--rounds", str(summary["rounds"] - 1), *options, game="penalty")
    assert earlier["rounds"] == summary["rounds"] - 1


@pytest.mark.parametrize(
    ("game", "options", "complaint"),
    [
        ("slotted_aloha", ["--stop-at-epsilon", "0.5"], "state 0"),
        (
            "penalty",
            ["--stop-at-epsilon", "0.5", "--stop-gap", "optimality", "--dag", "empty"],
            "complete DAG",
        ),
        ("penalty", ["--stop-at-epsilon", "0.5", "--regularization", "3"], "regularization"),
        ("penalty", ["--stop-at-epsilon", "0.5", "--evaluate-every", "0"], "evaluate-every"),
    ],
)
def test_what_cannot_be_certified_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], game: str, options: list[str], complaint: str
) -> None:
    assert main(["train", game, *options, "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()
