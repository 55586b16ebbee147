"""`bnpg evaluate` comes to the numbers of slow, obvious twins, and says them in the promised forms."""

import csv
import io
import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bnpg_coordinator.oracle import Oracle

from bnpg.__main__ import main
from bnpg.evaluation.document import as_text
from bnpg.evaluation.measure import measure
from bnpg_math.dag import empty
from bnpg_math.exact.equilibrium import best_response
from bnpg_math.exact.mismatch import mismatch
from bnpg_math.games.file import save_game
from bnpg_math.games.game import dense_game
from bnpg_math.games.registry import game as find_game
from bnpg_math.policies.file import load_policy, save_policy
from bnpg_math.policies.joint import Policy

KEYS = {
    "value", "value_per_state", "optimal_value", "optimality_gap", "optimality_gap_upper", "nash_gap",
    "nash_gap_upper", "nash_gap_per_agent", "nash_gap_upper_per_agent", "objective",
    "gradient_norm", "gradient_max", "mismatch", "bounds",
}  # fmt: skip
GAME = "coordination(agents=2)"
SMALL = "random(states=2, agents=2, actions=2, branching=2, gamma=0.5, seed=3)"


class Twin:
    """A game with two agents and states, and a policy on the DAG 0-1, all by enumeration."""

    def __init__(self, game: str, policy: Path) -> None:
        self.game = find_game(game)
        self.theta_0, self.theta_1 = load_policy(policy).thetas
        shape = (self.game.states, *self.game.actions)
        self.P = np.stack(
            [self.game.transition.expectation(row) for row in np.eye(self.game.states)], axis=-1
        ).reshape(*shape, self.game.states)

    def joint(self, theta_0: np.ndarray, theta_1: np.ndarray) -> np.ndarray:
        first, second = (np.exp(theta) for theta in (theta_0, theta_1))
        first /= first.sum(axis=-1, keepdims=True)
        second /= second.sum(axis=-1, keepdims=True)
        return first[:, :, None] * second

    def values(self, pi: np.ndarray) -> np.ndarray:
        V = np.zeros(self.game.states)
        for _ in range(200):
            V = (pi * (self.game.reward + self.game.gamma * self.P @ V)).sum(axis=(1, 2))
        return V

    def value(self, pi: np.ndarray) -> float:
        return float(self.game.initial @ self.values(pi))

    def objective(self, theta_0: np.ndarray, theta_1: np.ndarray, weight: float) -> float:
        logs = [theta - np.log(np.exp(theta).sum(-1, keepdims=True)) for theta in (theta_0, theta_1)]
        barrier = sum(weight * float(np.mean(log) + math.log(log.shape[-1])) for log in logs)
        return self.value(self.joint(theta_0, theta_1)) + barrier

    def deterministic(self, shape: tuple[int, ...]) -> "itertools.product[tuple[int, ...]]":
        return itertools.product(range(shape[-1]), repeat=int(np.prod(shape[:-1])))

    def best_gain(self, agent: int) -> float:
        thetas = [self.theta_0, self.theta_1]
        shape = thetas[agent].shape
        found = []
        for choice in self.deterministic(shape):
            answer = np.full(shape, -1e3)
            answer.reshape(-1, shape[-1])[np.arange(len(choice)), choice] = 0.0
            thetas[agent] = answer
            found.append(self.value(self.joint(*thetas)))
        return max(found) - self.value(self.joint(self.theta_0, self.theta_1))

    def best_value(self) -> float:
        shape = (self.game.states, int(np.prod(self.game.actions)))
        pis = (
            np.eye(shape[1])[list(choice)].reshape(self.P.shape[:-1]) for choice in self.deterministic(shape)
        )
        return max(self.value(pi) for pi in pis)

    def gradient(self, agent: int, weight: float) -> np.ndarray:
        thetas = [self.theta_0, self.theta_1]
        result = np.zeros(thetas[agent].shape)
        for index in np.ndindex(result.shape):
            ends = []
            for sign in (1, -1):
                moved = [theta.copy() for theta in thetas]
                moved[agent][index] += sign * 1e-5
                ends.append(self.objective(*moved, weight))
            result[index] = (ends[0] - ends[1]) / 2e-5
        return result


@pytest.mark.parametrize("seed", [0, 1])
def test_every_number_is_that_of_a_slow_twin(evaluate, policy_file, tmp_path: Path, seed: int) -> None:
    policy = policy_file(SMALL, seed=seed)
    out = tmp_path / "gradient.npz"
    found = evaluate(SMALL, "--policy", policy, "--regularization", 0.2, "--gradient-out", out)
    twin = Twin(SMALL, policy)
    pi = twin.joint(twin.theta_0, twin.theta_1)
    close = {"abs": 1e-9, "rel": 1e-9}
    assert found["value_per_state"] == pytest.approx(twin.values(pi).tolist(), **close)
    assert found["value"] == pytest.approx(twin.value(pi), **close)
    assert found["optimal_value"] == pytest.approx(twin.best_value(), **close)
    assert found["optimality_gap"] == pytest.approx(twin.best_value() - twin.value(pi), **close)
    gains = [twin.best_gain(agent) for agent in range(2)]
    assert found["nash_gap_per_agent"] == pytest.approx(gains, **close)
    assert found["nash_gap"] == pytest.approx(max(gains), **close)
    assert found["objective"] == pytest.approx(twin.objective(twin.theta_0, twin.theta_1, 0.2), **close)
    grads = [twin.gradient(agent, 0.2) for agent in range(2)]
    with np.load(out) as written:
        assert set(written) == {"grad_0", "grad_1"}
        for agent, gradient in enumerate(grads):
            np.testing.assert_allclose(written[f"grad_{agent}"], gradient, atol=1e-8)
    assert found["gradient_norm"] == pytest.approx(
        math.sqrt(sum((gradient**2).sum() for gradient in grads)), abs=1e-8
    )
    assert found["gradient_max"] == pytest.approx(max(abs(gradient).max() for gradient in grads), abs=1e-8)


def test_the_keys_are_those_promised(evaluate, policy_file) -> None:
    policy = policy_file(GAME)
    found = evaluate(GAME, "--policy", policy)
    assert set(found) == KEYS | {"mismatch_reason", "policy_digest", "game_digest"}
    assert found["mismatch"] is None
    assert "--mismatch" in found["mismatch_reason"]
    assert found["policy_digest"] == load_policy(policy).digest
    assert found["game_digest"] == find_game(GAME).digest
    assert set(found["bounds"]) == {"lemma_2", "lemma_3", "lemma_4"}
    for forms in found["bounds"].values():
        assert list(forms) == ["printed", "corrected", "tight"]
        assert all({"threshold", "met", "bound", "measured", "holds"} <= set(form) for form in forms.values())
        for form in forms.values():
            unknown = [key for key in ("gradient", "threshold", "bound", "measured") if form[key] is None]
            assert all(form["reason"] or form.get(f"{key}_reason") for key in unknown), form


def test_the_bounds_are_the_constants_of_the_paper(evaluate, policy_file) -> None:
    found = evaluate(GAME, "--policy", policy_file(GAME, "complete"), "--mismatch", "--regularization", 0.3)
    assert "mismatch_reason" not in found
    M = mismatch(find_game(GAME)).M
    assert found["mismatch"] == M
    lemma_2, lemma_3, lemma_4 = (found["bounds"][lemma] for lemma in ("lemma_2", "lemma_3", "lemma_4"))
    # S = 4, two binary agents with an edge: K = A = 4, max A_i = 2, R = 3.
    assert lemma_2["tight"]["threshold"] == pytest.approx(0.3 / (4 * 4))
    assert 0.3 <= lemma_2["tight"]["bound"] < 0.3 * M
    assert lemma_2["printed"]["threshold"] == pytest.approx(0.3 / (2 * 4 * 4 * 2))
    assert lemma_2["printed"]["bound"] == pytest.approx(2 * 0.3 * M)
    assert 0 < lemma_2["tight"]["gradient"] <= found["gradient_max"]
    assert lemma_2["printed"]["gradient"] == found["gradient_norm"]
    assert lemma_3["tight"]["threshold"] == pytest.approx(0.3 / (4 * 4))
    assert 0 < lemma_3["tight"]["bound"] <= lemma_2["tight"]["bound"]
    assert lemma_3["printed"]["bound"] == pytest.approx(2**3 * 2 * 0.3 * M)
    assert lemma_4["tight"]["bound"] == pytest.approx(3 / (2 * 0.05**2) + 0.3 / (2 * 4))
    for row in (*lemma_2.values(), *lemma_3.values(), *lemma_4.values()):
        assert row["holds"] is (row["measured"] <= row["bound"])
        assert row["reason"] is None
    assert {row["measured"] for row in lemma_2.values()} == {found["nash_gap"]}
    assert {row["measured"] for row in lemma_3.values()} == {found["optimality_gap"]}
    assert lemma_4["tight"]["measured"] > 0


def test_an_infinite_mismatch_is_said_and_its_state_named(evaluate, policy_file) -> None:
    game = "slotted_aloha"
    found = evaluate(game, "--policy", policy_file(game), "--mismatch", "--regularization", 1)
    assert found["mismatch"] is None
    assert "state 0" in found["mismatch_reason"]
    forms = found["bounds"]["lemma_2"]
    for form in ("printed", "corrected"):
        assert forms[form]["bound"] is forms[form]["holds"] is None
        assert "infinite" in forms[form]["reason"]
    # C_pi is a property of the policy, and finite.
    assert 1.0 <= forms["tight"]["bound"] < 1000.0
    assert forms["tight"]["reason"] is None


def test_what_overflows_is_null_with_a_reason(evaluate, policy_file) -> None:
    """Games whose returns overflow are refused; a barrier of this weight is left."""
    found = evaluate("climbing", "--policy", policy_file("climbing"), "--regularization", 1.7e308)
    assert found["bounds"]["lemma_4"]["printed"]["bound"] is None
    assert "not finite" in found["bounds"]["lemma_4"]["printed"]["bound_reason"]


def test_a_game_of_ones_own_is_judged_like_a_built_in_one(evaluate, policy_file, tmp_path: Path) -> None:
    save_game(find_game(SMALL), tmp_path / "game.npz")
    policy = policy_file(SMALL)
    mine, built_in = (evaluate(game, "--policy", policy) for game in (tmp_path / "game.npz", SMALL))
    for key in KEYS - {
        "value_per_state",
        "nash_gap_per_agent",
        "nash_gap_upper_per_agent",
        "mismatch",
        "bounds",
    }:
        assert mine[key] == pytest.approx(built_in[key], rel=1e-9, abs=1e-12)


def test_every_agents_best_response_can_be_had_and_gains_the_gap(
    evaluate, policy_file, tmp_path: Path
) -> None:
    policy, out = policy_file(GAME), tmp_path / "best.npz"
    found = evaluate(GAME, "--policy", policy, "--best-response", out)
    judged = load_policy(policy)
    with np.load(out) as written:
        assert set(written) == {"edges", "pi_0", "pi_1"}
        for agent in range(2):
            answer = best_response(find_game(GAME), judged.dag, judged.tables, agent)
            np.testing.assert_array_equal(written[f"pi_{agent}"], answer.policy)
            tables = list(judged.tables)
            tables[agent] = written[f"pi_{agent}"]
            save_policy(Policy.from_tables(judged.dag, tables), tmp_path / "answered.npz")
            better = evaluate(GAME, "--policy", tmp_path / "answered.npz")
            gain = better["value"] - found["value"]
            assert gain == pytest.approx(found["nash_gap_per_agent"][agent], abs=1e-9)
            assert better["nash_gap_per_agent"][agent] == pytest.approx(0, abs=1e-9)


def test_all_best_responses_at_once_are_a_policy_that_can_be_judged(
    evaluate, policy_file, tmp_path: Path
) -> None:
    evaluate("climbing", "--policy", policy_file("climbing"), "--best-response", tmp_path / "best.npz")
    found = evaluate("climbing", "--policy", tmp_path / "best.npz", "--mismatch")
    assert load_policy(tmp_path / "best.npz").is_deterministic
    assert found["objective"] == found["value"]
    forms = [form for lemma in ("lemma_2", "lemma_3") for form in found["bounds"][lemma].values()]
    assert not any(form["met"] for form in forms if isinstance(form, dict))


def said(capsys: pytest.CaptureFixture[str], *options: object) -> str:
    capsys.readouterr()
    assert main(["evaluate", *map(str, options), "--quiet"]) == 0
    return capsys.readouterr().out


def test_people_get_a_table_with_every_number(capsys: pytest.CaptureFixture[str], policy_file) -> None:
    text = said(capsys, "slotted_aloha", "--policy", policy_file("slotted_aloha"), "--mismatch")
    for line in ("Nash gap of agent 2", "mismatch coefficient M  ∞", "value from state 7", "Lemma 4  tight"):
        assert line in text
    assert "M is infinite: Assumption 1 fails: some joint policy never visits state 0" in text
    assert text.count("Lemma 3 speaks of complete DAGs only") == 1


def test_latex_has_numbers_in_math_mode_and_no_character_it_does_not_know(
    capsys: pytest.CaptureFixture[str], policy_file
) -> None:
    options = ("--policy", policy_file("slotted_aloha"), "--mismatch", "--regularization", 1e-5)
    text = said(capsys, "slotted_aloha", *options, "--format", "latex")
    assert text.isascii()
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 2
    wide = [line for line in text.splitlines() if line.startswith(("Lemma", " & form"))]
    assert len(wide) == 10
    assert {line.count("&") for line in wide} == {8}
    assert all(line.endswith(r" \\") and line.count("$") % 2 == 0 for line in wide)
    outside = "".join("".join(line.split("$")[::2]) for line in text.splitlines() if line[:1] != "%")
    assert not any(sign in outside for sign in ("^", "_", r"\infty", r"\times"))
    assert r"\times 10^{-7}$" in text
    assert r"$M$ & $\infty$ \\" in text


def test_what_is_promised_is_rounded_up_in_tables(policy_file) -> None:
    found = measure(find_game("climbing"), load_policy(policy_file("climbing")), 0.1, mismatch=True)
    lemma = replace(found.bounds[0], bound=0.1234561, measured=0.1234561)
    tiny = replace(lemma, bound=1.234561e-7, measured=None)
    shown = replace(found, bounds=(lemma, tiny))
    rows = [line.split() for line in as_text(shown, "table").splitlines() if "Lemma" in line]
    assert [row[7:9] for row in rows] == [["0.123457", "0.123456"], ["1.23457e-07", "-"]]
    pasted = as_text(shown, "latex")
    assert r"& $0.123457$ & $0.123456$ &" in pasted
    assert r"& $1.23457 \times 10^{-7}$ & - &" in pasted


def test_csv_is_read_back_without_loss(capsys: pytest.CaptureFixture[str], evaluate, policy_file) -> None:
    options = (GAME, "--policy", policy_file(GAME), "--mismatch", "--regularization", 0.1)
    found = evaluate(*options)
    rows = dict(csv.reader(io.StringIO(said(capsys, *options, "--format", "csv"))))
    assert float(rows["Nash gap"]) == found["nash_gap"]
    assert float(rows["mismatch coefficient M"]) == found["mismatch"]
    assert float(rows["lemma_2 tight bound"]) == found["bounds"]["lemma_2"]["tight"]["bound"]
    assert rows["lemma_2 tight met"] == str(found["bounds"]["lemma_2"]["tight"]["met"])


def test_the_progress_of_the_mismatch_goes_to_stderr(capsys: pytest.CaptureFixture[str], policy_file) -> None:
    policy = policy_file(GAME)
    capsys.readouterr()
    assert main(["evaluate", GAME, "--policy", str(policy), "--mismatch", "--json"]) == 0
    heard = capsys.readouterr()
    assert heard.out.count("\n") == 1
    assert "states 4/4" in heard.err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["climbing"], "states"),
        (["coordination(agents=3)"], "agents"),
        (["no-such-game"], "no-such-game"),
        ([GAME, "--regularization", "-1"], "-1"),
        ([GAME, "--policy", "nowhere.npz"], "nowhere.npz"),
        ([GAME, "--policy", __file__], "test_evaluate.py"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], policy_file, options: list[str], complaint: str
) -> None:
    policy = policy_file(GAME)
    capsys.readouterr()
    assert main(["evaluate", "--policy", str(policy), *options, "--json"]) == 2
    heard = capsys.readouterr()
    assert heard.out == ""
    assert heard.err.count("\n") == 1
    assert complaint in heard.err


def test_a_file_that_cannot_be_written_is_named(
    capsys: pytest.CaptureFixture[str], policy_file, tmp_path: Path
) -> None:
    where = tmp_path / "no-folder" / "gradient.npz"
    policy = policy_file(GAME)
    assert main(["evaluate", GAME, "--policy", str(policy), "--gradient-out", str(where)]) == 2
    assert str(where) in capsys.readouterr().err


def test_a_run_is_judged_by_its_folder(start, go_on, capsys: pytest.CaptureFixture[str]) -> None:
    folder = start(game="climbing", dag="0-1", mode="exact", rounds=5, regularization=0.1, learning_rate=0.5)
    summary = go_on(folder)
    assert main(["evaluate", str(folder), "--json"]) == 0
    judged = json.loads(capsys.readouterr().out)
    assert judged["value"] == summary["value"]
    assert judged["nash_gap"] == summary["nash_gap"]
    assert judged["objective"] != judged["value"]  # the run's own barrier counts
    assert main(["evaluate", str(folder), "--json", "--regularization", "0"]) == 0
    assert json.loads(capsys.readouterr().out)["objective"] == judged["value"]


def test_a_game_needs_a_policy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "climbing"]) == 2
    assert "Missing option '--policy': it goes with a game" in capsys.readouterr().err


@pytest.mark.parametrize("places", [4, 30, 40, 50])
def test_without_a_barrier_the_objective_is_the_value_next_to_gamma_1(places: int) -> None:
    rng = np.random.default_rng(3)
    transition, reward = rng.dirichlet(np.ones(2), size=(2, 2, 2)), rng.normal(size=(2, 2, 2))
    game = dense_game("next to 1", transition, reward, np.full(2, 0.5), 1.0 - 2.0**-places)
    tables = [np.full((2, 2), 0.5), np.full((2, 2), 0.5)]
    found = measure(game, Policy.from_tables(empty(2), tables), 0.0)
    assert found.objective == found.value
    recorded = Oracle(game, empty(2), 0.0).measure([np.log(table) for table in tables])
    assert recorded["objective"] == recorded["value"] == found.value
