"""`--stop-at-epsilon` ends a run with the first round whose policy is certified, everywhere the same one."""

import json
import signal
from pathlib import Path

import msgspec
import numpy as np
import pytest
from bnpg_coordinator.experiment import experiment_toml, read_experiment
from bnpg_coordinator.line import Line
from bnpg_coordinator.oracle import Oracle
from bnpg_coordinator.run_record import read_lines
from msgspec import UNSET

from bnpg.__main__ import main
from bnpg.experiment_plan import plan_experiment
from bnpg.resumption import concluded
from bnpg.run_folder import RunFolder
from bnpg.summary import human_summary
from bnpg_math.dag import random_dag
from bnpg_math.dag.text import parse_dag
from bnpg_math.errors import InputError
from bnpg_math.exact.coverage import coverage
from bnpg_math.exact.mismatch import mismatch
from bnpg_math.exact.optimum import solve_in_doubles
from bnpg_math.games.registry import game as find_game
from bnpg_math.policies.file import load_policy
from bnpg_math.policies.softmax import log_policy, policy, theta_shape
from bnpg_math.theory.bounds import bounds
from bnpg_math.theory.stationarity import gradients

GAPS = {"nash": "nash_gap", "optimality": "optimality_gap"}
WORDS = {"nash": "a Nash gap", "optimality": "an optimality gap"}
QUICK = {"game": "penalty", "dag": "0-1", "stop_at_epsilon": 2.0, "learning_rate": 0.05, "rounds": 4000}


def ascend(weight: float, gap: str) -> tuple[int, list[np.ndarray]]:
    """Play QUICK without any process or message; return the first certified round and its thetas."""
    game, dag = find_game("penalty"), parse_dag("0-1", 2)
    thetas = [np.zeros(theta_shape(1, (3, 3), parents, agent)) for agent, parents in enumerate(dag.parents)]
    for round_ in range(4000):
        grads = gradients(game, dag, [policy(theta) for theta in thetas], weight)
        if gap == "nash":  # tight Lemma 2: e <= lambda / (S A_P A_i)
            met = grads[0].max() < weight / 3 and grads[1].max() < weight / 9
        else:  # tight Lemma 3: sum of (e_i)^+ along a joint action at most lambda / (S A), A = 9
            upwards = [np.maximum(gradient, 0.0) for gradient in grads]
            met = (upwards[0][0, :, None] + upwards[1][0]).max() < weight / 9
        if met:
            return round_, thetas
        thetas = [theta + 0.05 * gradient for theta, gradient in zip(thetas, grads, strict=True)]
    raise AssertionError("never certified")


@pytest.mark.parametrize("gap", GAPS)
def test_a_run_ends_with_the_first_certified_round(start, go_on, evaluate, gap: str) -> None:
    folder = start(**QUICK, stop_gap=gap, save_policy=True)
    summary = go_on(folder)
    # M = 1 in a game with one state, so lambda = epsilon.
    round_, thetas = ascend(2.0, gap)
    assert summary["rounds"] == round_ > 0
    gathered = load_policy(folder / "policy.npz")
    for theta, expected in zip(gathered.thetas, thetas, strict=True):
        np.testing.assert_allclose(theta, expected, atol=1e-9)
    assert gathered.digest == summary["policy_digest"]
    assert summary["certified"] is True
    assert summary["why"] == f"{WORDS[gap]} of at most 2 is certified"
    assert summary[GAPS[gap]] <= 2.0
    lines = read_lines(folder / "metrics.jsonl")
    assert [line.round for line in lines] == list(range(round_ + 1))
    assert UNSET not in (lines[-1].nash_gap, lines[-1].gradient_norm)
    assert summary["evaluated_round"] == round_
    found = evaluate("penalty", "--policy", folder / "policy.npz", "--regularization", 2.0, "--mismatch")
    lemma = found["bounds"]["lemma_2" if gap == "nash" else "lemma_3"]["tight"]
    assert (lemma["met"], lemma["bound"], lemma["holds"]) == (True, 2.0, True)
    assert found[GAPS[gap]] == summary[GAPS[gap]]
    told = human_summary(RunFolder(folder), summary)
    assert f"is certified after {round_} of at most 4000 rounds" in told
    assert f"this run made {round_}" in told
    assert concluded(RunFolder(folder))


def test_no_smaller_gap_is_said_to_be_certified_than_was_asked_for(start, go_on) -> None:
    folder = start(**QUICK | {"stop_at_epsilon": 2.0000001})
    summary = go_on(folder)
    assert summary["why"] == "a Nash gap of at most 2.0000001 is certified"
    told = human_summary(RunFolder(folder), summary)
    assert f"a Nash gap of at most 2.0000001 is certified after {summary['rounds']} of" in told


def test_the_theorems_ask_for_at_least_the_rounds_that_were_needed(start, go_on) -> None:
    folder = start(**QUICK | {"learning_rate": "certified"}, stop_gap="optimality")
    summary = go_on(folder)
    assert summary["certified"]
    for forms in summary["predicted_rounds"].values():
        assert [row["epsilon"] for row in forms.values()] == pytest.approx([2.0] * 3)
        assert forms["tight"]["rounds"] >= summary["rounds"]
        assert forms["tight"]["rounds"] < min(forms["printed"]["rounds"], forms["corrected"]["rounds"])


def test_lambda_is_epsilon_over_the_mismatch_coefficient(start) -> None:
    folder = start(game="coordination(agents=2)", stop_at_epsilon=0.5)
    M = mismatch(find_game("coordination(agents=2)")).nearest
    assert read_experiment(folder / "experiment.toml").regularization == 0.5 / M


@pytest.mark.parametrize("seed", range(30))
def test_the_decision_is_that_of_the_tight_lemmas(seed: int) -> None:
    rng = np.random.default_rng(seed)
    game = find_game(f"random(states=2, agents=2, actions=2, branching=2, gamma=0.5, seed={seed})")
    dag = parse_dag("complete", 2) if seed % 2 else random_dag(2, 0.5, rng)
    thetas = [0.1 * rng.normal(size=theta_shape(2, (2, 2), dag.parents[agent], agent)) for agent in (0, 1)]
    decided = set()
    for weight in np.geomspace(0.01, 100, 9):
        grads = gradients(game, dag, [policy(theta) for theta in thetas], weight)
        rows = bounds(game, dag, weight, grads, nash_gap=0.0, optimality_gap=0.0)
        met = {row.lemma: row.met for row in rows if row.form == "tight"}
        oracle = Oracle(game, dag, weight)
        log_tables = [log_policy(theta) for theta in thetas]
        assert oracle.certifies(log_tables, "nash", np.inf) is met["lemma_2"]
        # No constant is below 1.
        assert not oracle.certifies(log_tables, "nash", 0.99 * weight)
        if dag.is_complete:
            assert oracle.certifies(log_tables, "optimality", np.inf) is met["lemma_3"]
        decided.add(met["lemma_2"])
    assert decided == {True, False}


def test_without_exact_tables_the_decision_falls_at_evaluated_rounds(start, go_on) -> None:
    sampled = {"mode": "sampled", "lanes": 64, "horizon": 1, "rounds": 300, "evaluate_every": 7}
    first = go_on(start(**QUICK | sampled))
    assert first["certified"] is True
    assert 0 < first["rounds"] < 300
    assert first["rounds"] % 7 == 0
    # Looked at more often it ends earlier or at once; the thetas on the way are the same.
    often = go_on(start("often", **QUICK | sampled | {"evaluate_every": 1}))
    assert first["rounds"] - 7 < often["rounds"] <= first["rounds"]


def test_processes_end_with_the_same_round_and_bytes(start, go_on) -> None:
    for mode in ({"mode": "exact"}, {"mode": "sampled", "lanes": 64, "horizon": 1, "evaluate_every": 7}):
        name = str(mode["mode"])
        summaries, lines = [], []
        for launcher in ("memory", "local"):
            folder = start(f"{name}-{launcher}", **QUICK | mode, save_policy=True)
            summaries.append(go_on(folder, launcher))
            lines.append([line.untimed for line in read_lines(folder / "metrics.jsonl")])
        for key in ("rounds", "policy_digest", "certificate", "certified", "nash_gap", "predicted_rounds"):
            assert summaries[0][key] == summaries[1][key]
        assert lines[0] == lines[1]
        assert 0 < summaries[0]["rounds"] < 4000


def test_an_interrupted_run_ends_as_the_uninterrupted_one(start, go_on) -> None:
    expected = go_on(start("whole", **QUICK))

    def interrupt(line: Line) -> None:
        if line.round == expected["rounds"] // 2:
            signal.raise_signal(signal.SIGINT)

    folder = start(**QUICK)
    stopped = go_on(folder, on_line=interrupt)
    assert stopped["state"] == "interrupted"
    assert stopped["rounds"] < expected["rounds"]
    assert stopped["certified"] is None
    assert not concluded(RunFolder(folder))
    summary = go_on(folder)
    for key in ("rounds", "policy_digest", "certificate", "nash_gap", "value"):
        assert summary[key] == expected[key]
    assert concluded(RunFolder(folder))


def test_a_run_that_was_too_short_says_so_and_goes_on_when_it_is_given_more(start, go_on) -> None:
    needed = go_on(start("whole", **QUICK))
    folder = start(**QUICK | {"rounds": needed["rounds"] - 1})
    summary = go_on(folder)
    assert (summary["state"], summary["rounds"]) == ("done", needed["rounds"] - 1)
    assert summary["certified"] is False
    assert summary["why"] == "all rounds are done"
    assert "is not certified within" in human_summary(RunFolder(folder), summary)
    assert concluded(RunFolder(folder))
    longer = msgspec.structs.replace(read_experiment(folder / "experiment.toml"), rounds=4000)
    (folder / "experiment.toml").write_text(experiment_toml(longer))
    assert not concluded(RunFolder(folder))
    summary = go_on(folder)
    assert (summary["rounds"], summary["policy_digest"]) == (needed["rounds"], needed["policy_digest"])


ALOHA = {
    "game": "slotted_aloha",
    "dag": "empty",
    "stop_at_epsilon": 2.0,
    "rounds": 3000,
    "step_size": "backtracking",
}


def test_a_run_is_certified_by_the_policy_it_reaches_where_m_is_infinite(start, go_on) -> None:
    folder = start(**ALOHA, save_policy=True)
    game = find_game("slotted_aloha")
    uniform = np.full((game.states, *game.actions), 1.0 / game.joint_actions)
    constant = coverage(game, uniform, solve_in_doubles(game)).largest
    chosen = read_experiment(folder / "experiment.toml").regularization
    assert chosen == 2.0 / (2.0 * constant)
    summary = go_on(folder)
    assert summary["certified"] is True
    assert 0 < summary["rounds"] < 3000
    certificate = json.loads((folder / "certificate.json").read_text())
    (claim,) = [one for one in certificate["proved"] if one["by"] == "Lemma 2, tight form"]
    assert certificate["proved"][0]["epsilon"] <= claim["epsilon"] <= 2.0
    assert claim["epsilon"] == pytest.approx(chosen * claim["constant"])


def test_a_lambda_of_ones_own_is_kept_where_m_is_infinite(start) -> None:
    folder = start(**ALOHA, regularization=0.05)
    assert read_experiment(folder / "experiment.toml").regularization == 0.05


def test_theta_0_may_be_certified_already(start, go_on) -> None:
    summary = go_on(start(**QUICK | {"stop_at_epsilon": 1e6}))
    assert (summary["rounds"], summary["certified"]) == (0, True)


def test_the_stored_experiment_runs_again(start, go_on, tmp_path: Path) -> None:
    folder = start(**QUICK)
    summary = go_on(folder)
    again = [
        "train",
        str(folder / "experiment.toml"),
        "--launcher",
        "memory",
        "--out",
        str(tmp_path / "again"),
    ]
    assert main([*again, "--quiet", "--json"]) == 0
    assert (
        json.loads((tmp_path / "again/summary.json").read_text())["policy_digest"] == summary["policy_digest"]
    )


@pytest.mark.parametrize(
    ("game", "options", "complaint"),
    [
        (
            "penalty",
            ["--stop-at-epsilon", "0.5", "--stop-gap", "optimality", "--dag", "empty"],
            "complete DAG",
        ),
        ("penalty", ["--stop-at-epsilon", "0.5", "--regularization", "3"], "regularization = 0.5"),
        ("penalty", ["--stop-at-epsilon", "0.5", "--evaluate-every", "0"], "evaluate-every"),
        ("penalty", ["--stop-at-epsilon", "-1"], "of at least 0"),
        ("penalty", ["--stop-gap", "optimality", "--dag", "complete"], "stop-at-epsilon"),
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


def test_what_a_run_keeps_is_taken_on_a_host_that_comes_to_another_last_bit() -> None:
    """`experiment.toml` has lambda beside epsilon, and says how to run it again wherever it is read."""
    fields = {"game": "random(states=5, agents=2)", "mode": "exact", "stop-at-epsilon": 0.1}
    chosen = plan_experiment(dict(fields)).experiment.regularization
    for other in (chosen, np.nextafter(chosen, 0.0).item(), np.nextafter(chosen, 1.0).item()):
        kept = plan_experiment(fields | {"regularization": other})
        assert kept.experiment.regularization == other
    with pytest.raises(InputError, match="stop-at-epsilon chooses regularization"):
        plan_experiment(fields | {"regularization": chosen * (1 + 1e-9)})
