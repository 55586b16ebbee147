"""Every run that ends with an evaluation has a certificate, and `bnpg evaluate` comes to the same numbers."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bnpg_coordinator.run_record import read_lines
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.certificate import certify
from bnpg.launchers.settings import Outcome
from bnpg.lease import lease
from bnpg.run_folder import RunFolder
from bnpg.summary import human_summary
from bnpg_math.exact.mismatch import mismatch
from bnpg_math.exact.optimum import optimal_value
from bnpg_math.exact.values import evaluate
from bnpg_math.games.registry import game as find_game
from bnpg_math.theory.rates import rates

GAME = "coordination(agents=2)"
MEASURED = ("value", "nash_gap", "optimality_gap", "objective", "gradient_norm")
MODES = {
    "exact": {"mode": "exact", "dag": "complete"},
    "sampled": {"mode": "sampled", "lanes": 4, "horizon": 5, "dag": "empty"},
}
GAPS = ["best responses", "policy iteration"]


def certificate_of(folder: Path) -> dict:
    return json.loads((folder / "certificate.json").read_text())


@pytest.mark.parametrize("mode", MODES)
def test_a_certificate_has_the_very_numbers_of_the_run_and_of_evaluate(
    start, go_on, evaluate, mode: str
) -> None:
    folder = start(
        game=GAME, rounds=7, regularization=0.01, initial="normal", save_policy=True, **MODES[mode]
    )
    summary = go_on(folder)
    found = evaluate(GAME, "--policy", folder / "policy.npz", "--regularization", 0.01, "--mismatch")
    certificate = certificate_of(folder)
    last = read_lines(folder / "metrics.jsonl")[-1]
    for key in MEASURED:
        assert found[key] == summary[key] == getattr(last, key) == certificate[key]
    assert {key: certificate[key] for key in found} == found
    assert certificate["policy_digest"] == summary["policy_digest"]
    assert certificate["game_digest"] == find_game(GAME).digest
    assert certificate["regularization"] == 0.01
    assert certificate["rounds"] == 7
    assert set(certificate["versions"]) == {"bnpg", "python", "numpy", "scipy"}


def test_a_policy_that_was_not_gathered_is_certified_from_the_agents_folders(start, go_on) -> None:
    folder = start(game="penalty", rounds=2)
    summary = go_on(folder)
    assert not (folder / "policy.npz").exists()
    assert certificate_of(folder)["policy_digest"] == summary["policy_digest"]


def test_a_policy_that_was_gathered_from_other_hosts_is_certified(start, go_on) -> None:
    folder = start(game="penalty", rounds=2, save_policy=True)
    go_on(folder)
    expected = certificate_of(folder)
    shutil.rmtree(folder / "agents")
    (folder / "certificate.json").unlink()
    with lease(folder) as fence:
        certify(RunFolder(folder), 2, fence)
        assert certificate_of(folder) == expected
        (folder / "policy.npz").unlink()
        assert "save-policy" in certify(RunFolder(folder), 2, fence)["certificate_reason"]


def test_what_is_proved_are_the_exact_gaps_and_the_lemmas_whose_condition_is_met(start, go_on) -> None:
    # Far beyond convergence: every form of every lemma is met.
    folder = start(game="penalty", rounds=1500, dag="0-1", regularization=1.0, learning_rate=0.05)
    summary = go_on(folder)
    certificate = certificate_of(folder)
    proved = {claim["by"]: claim for claim in certificate["proved"]}
    assert list(proved) == [
        "best responses, verified in exact arithmetic",
        "policy iteration, verified in exact arithmetic",
        "Lemma 2, corrected form",
        "Lemma 2, tight form",
        "Lemma 3, corrected form",
        "Lemma 3, tight form",
    ]
    nash, optimality = (claim["epsilon"] for claim in certificate["proved"][:2])
    assert nash == pytest.approx(summary["nash_gap"], rel=1e-12)
    assert optimality == pytest.approx(summary["optimality_gap"], rel=1e-12)
    exact = certificate["exact_check"]
    assert exact["done"] is True
    assert exact["nash_gap_at_most"] == max(exact["nash_gap_per_agent_at_most"]) == nash
    assert exact["optimality_gap_at_most"] == optimality
    tight = proved["Lemma 2, tight form"]
    assert (tight["claim"], tight["epsilon"], tight["mismatch"]) == ("epsilon-nash", 1.0, 1.0)
    assert tight["constant"] == 1.0
    assert tight["gradient"] <= certificate["gradient_max"] <= tight["threshold"] == pytest.approx(1 / 9)
    for claim in certificate["proved"]:
        assert claim["epsilon"] >= (nash if claim["claim"] == "epsilon-nash" else optimality)
    assert summary["certificate"].endswith(
        "; its gradient promises a Nash gap of at most 1 (Lemma 2, tight form, C = 1) "
        "and an optimality gap of at most 1 (Lemma 3, tight form, C = 1)"
    )
    assert summary["certificate"] in human_summary(RunFolder(folder), summary)


def test_the_tight_form_alone_promises_something_where_the_mismatch_is_infinite(start, go_on) -> None:
    folder = start(game="slotted_aloha", rounds=2, regularization=1e9, learning_rate=1e-12)
    summary = go_on(folder)
    certificate = certificate_of(folder)
    assert certificate["mismatch"] is None
    assert "state 0" in certificate["mismatch_reason"]
    assert certificate["bounds"]["lemma_2"]["tight"]["met"] is True
    by = [claim["by"] for claim in certificate["proved"]]
    assert [name.split(",")[0] for name in by[:2]] == GAPS
    assert by[2:] == ["Lemma 2, tight form"]
    # Near theta = 0, where C_pi is 2.525.
    assert certificate["proved"][2]["constant"] == pytest.approx(2.525, abs=1e-2)
    assert certificate["proved"][2]["mismatch"] is None
    assert "Theorem" not in human_summary(RunFolder(folder), summary)


def test_an_expensive_mismatch_is_left_out_with_a_reason(
    start, go_on, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bnpg.evaluation.effort.AFFORDABLE", 0)
    folder = start(game="penalty", rounds=2, regularization=0.1)
    go_on(folder)
    assert certificate_of(folder)["mismatch"] is None
    assert "--mismatch" in certificate_of(folder)["mismatch_reason"]


def test_the_theorems_are_compared_at_the_same_gap(start, go_on) -> None:
    folder = start(game=GAME, rounds=1, dag="complete", regularization=0.01)
    predicted = go_on(folder)["predicted_rounds"]
    certificate = certificate_of(folder)
    assert certificate["predicted_rounds"] == predicted
    M, gap = certificate["mismatch"], 0.01 * certificate["mismatch"]
    game = find_game(GAME)
    # What the forms of the lemmas promise with lambda, in gaps per lambda M.
    factors = {"theorem_1": {"printed": 2, "corrected": 2, "tight": 1}}
    factors["theorem_2"] = {"printed": 16, "corrected": 16, "tight": 1}
    found = mismatch(game)
    best = optimal_value(game)
    d = evaluate(game, best.policy).d
    uniform = np.full((4, 2, 2), 0.25)
    room = float(game.initial @ best.V) - evaluate(game, uniform).value
    constants = {
        "theorem_1": (found.highest / found.lowest).mean(),
        "theorem_2": (d / found.lowest).mean(),
    }
    assert constants["theorem_2"] < constants["theorem_1"] <= M
    for theorem, forms in predicted.items():
        for form, row in forms.items():
            assert row["epsilon"] == pytest.approx(gap)
            constant = constants[theorem] if form == "tight" else M
            assert row["regularization"] == pytest.approx(gap / constant / factors[theorem][form], rel=1e-6)
            if form != "tight":
                own = rates(game, _complete(), row["regularization"], M)
                assert row["rounds"] in [rate.rounds for rate in own if rate.theorem == theorem]
    # T = 2 beta Delta S^2 max_i A_P^2 A_i (A_i - 1) / lambda^2, with R = 3, S = 4.
    lam = gap / constants["theorem_1"]
    beta = 3 / (2 * 0.05**2) + lam / (2 * 4)
    expected = 2 * beta * room * 4**2 * 8 / lam**2
    assert predicted["theorem_1"]["tight"]["rounds"] == pytest.approx(expected, rel=1e-5)
    # And (1 - 1/2) + (1 - 1/2) = 1 instead of N, with C* instead of M.
    lam = gap / constants["theorem_2"]
    beta = 3 / (2 * 0.05**2) + lam / (2 * 4)
    assert predicted["theorem_2"]["tight"]["rounds"] == pytest.approx(
        2 * beta * room * 4**2 * 16 / lam**2, rel=1e-5
    )


def _complete():
    from bnpg_math.dag.text import parse_dag

    return parse_dag("complete", 2)


@pytest.mark.parametrize(
    "fields",
    [
        {"game": "climbing", "dag": "complete"},
        {"game": "climbing", "dag": "empty"},
        {"game": "penalty", "dag": "empty"},
        {"game": "penalty", "dag": "complete", "learning_rate": 1e3},
        {"game": "climbing", "dag": "complete", "direction": "natural", "learning_rate": 1e3},
        {"game": "climbing", "dag": "complete", "regularization": 5e-324},
        {"game": "climbing", "dag": "complete", "regularization": 1e-300},
    ],
    ids=str,
)
def test_a_saturated_table_has_a_gradient_of_0_and_proves_nothing_by_it(start, go_on, fields) -> None:
    folder = start(**{"rounds": 8, "learning_rate": 1e4} | fields)
    summary = go_on(folder)
    certificate = certificate_of(folder)
    assert [claim["by"].split(",")[0] for claim in certificate["proved"]] == GAPS
    for claim, gap in zip(certificate["proved"], ("nash_gap", "optimality_gap"), strict=True):
        assert claim["epsilon"] == pytest.approx(summary[gap], rel=1e-9, abs=1e-9)
    assert "Lemma" not in summary["certificate"]


def test_a_lemma_that_the_exact_bound_contradicts_is_not_written(
    start, go_on, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A mismatch coefficient that is too small, and a condition that is met by rounding alone.
    from bnpg.evaluation import measure as measuring

    true = measuring.bounds
    wrong = [{"met": True, "bound": 0.5}, {"met": True, "bound": 40.0}]
    for change, kept in zip(wrong, (0, 4), strict=True):
        monkeypatch.setattr(
            measuring, "bounds", lambda *a, _c=change, **k: [replace(one, **_c) for one in true(*a, **k)]
        )
        folder = start(f"run-{kept}", game="climbing", dag="complete", rounds=1, regularization=0.1)
        summary = go_on(folder)
        assert summary["nash_gap"] > 0.5
        lemmas = [c for c in certificate_of(folder)["proved"] if c["by"].startswith("Lemma")]
        assert len(lemmas) == kept


def test_a_game_too_large_to_be_exact_is_bounded_in_floats_and_the_words_say_so(
    start, go_on, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = start("exact", game=GAME, rounds=3, dag="0-1")
    go_on(exact)
    monkeypatch.setattr("bnpg.certified.exactly.UNASKED", 0)
    floats = start("floats", game=GAME, rounds=3, dag="0-1")
    summary = go_on(floats)
    assert summary["certificate"].endswith(", computed in floating point, rounding included")
    certificate = certificate_of(floats)
    assert certificate["exact_check"]["done"] is False
    assert "work" in certificate["exact_check"]["reason"]
    assert not (floats / "certificate.npz").exists()
    for above, true in zip(certificate["proved"], certificate_of(exact)["proved"], strict=True):
        assert above["by"].endswith("computed in floating point, rounding included")
        assert true["epsilon"] <= above["epsilon"] <= true["epsilon"] + 1e-9


@pytest.mark.parametrize("weight", [0.0, 1e-300, 1e-160])
def test_no_rounds_are_predicted_where_there_is_nothing_to_predict(start, go_on, weight: float) -> None:
    folder = start(game="penalty", rounds=1, regularization=weight)
    summary = go_on(folder)
    assert summary["predicted_rounds"] is None
    assert "regularization" in summary["predicted_rounds_reason"]
    assert all(math.isfinite(claim["epsilon"]) for claim in certificate_of(folder)["proved"])


def test_a_run_without_an_evaluation_has_no_certificate_and_says_so(start, go_on) -> None:
    folder = start(game="penalty", rounds=1, evaluate_every=0)
    summary = go_on(folder)
    assert summary["certificate"] is None
    assert "evaluate-every" in summary["certificate_reason"]
    assert not (folder / "certificate.json").exists()
    assert "Certificate" not in human_summary(RunFolder(folder), summary)


def test_a_run_that_goes_on_loses_its_old_certificate(start, go_on) -> None:
    folder = start(game="penalty", rounds=1)
    go_on(folder)
    assert (folder / "certificate.json").exists()
    toml = folder / "experiment.toml"
    toml.write_text(toml.read_text().replace("rounds = 1", "rounds = 2"))
    interrupted = Outcome(ExitCode.INTERRUPTED, "interrupted", 1)
    summary = go_on(folder, launch=lambda *run: interrupted)
    assert not (folder / "certificate.json").exists()
    assert summary["certificate"] is None
    assert summary["certificate_reason"] == "the run is not done"
    assert RunFolder(folder).summary == summary
