"""`--barrier weighted`: each agent has a lambda of its own, and a chain that was stuck is not any more."""

import json
import math

import msgspec
import numpy as np
import pytest
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.run_record import read_lines
from msgspec import UNSET

import bnpg
from bnpg.__main__ import main
from bnpg.algorithm import learn
from bnpg.certified.checking import check_certificate
from bnpg.experiment_plan import plan_experiment
from bnpg.lab.soak.simulate import simulate
from bnpg_math.dag import Dag, line
from bnpg_math.errors import InputError
from bnpg_math.games.file import save_game
from bnpg_math.games.game import dense_game
from bnpg_math.policies.file import save_policy
from bnpg_math.policies.joint import Policy, policy_digest
from bnpg_math.theory.weighted_barrier import barrier_weights

GAME = "random(agents=3, states=3, actions=3, branching=2, seed=4)"
LAMBDA = 1e-2


def chain(folder):
    """The chain on which the paper's barrier fails, and where it begins: agent 1 stays out."""
    reward = np.zeros((1, 3, 2, 3))
    reward[:, 1:] -= 20.0
    reward[:, :, 1, 0] += 0.15
    reward[:, :, 1, 1:] -= 6.0
    save_game(dense_game("chain", np.ones((1, 3, 2, 3, 1)), reward, np.ones(1), 0.0), folder / "chain.npz")
    thetas = [np.zeros((1, 3)), np.zeros((1, 3, 2)), np.zeros((1, 2, 3))]
    thetas[0][..., 0], thetas[1][:, 0, 0] = math.log(60 / LAMBDA), math.log(6 / LAMBDA)
    save_policy(Policy(line(3), tuple(thetas)), folder / "out.npz")


@pytest.mark.parametrize("barrier", ["uniform", "weighted"])
def test_a_chain_is_stuck_with_the_papers_barrier_and_not_with_the_weighted_one(tmp_path, barrier):
    chain(tmp_path)
    run = bnpg.train(
        tmp_path / "chain.npz", initial=tmp_path / "out.npz", mode="exact", rounds=400, evaluate_every=400,
        step_size="barzilai-borwein", regularization=LAMBDA, barrier=barrier, launcher="memory",
        out=tmp_path / "run", fsync=False,
    )  # fmt: skip
    gap = run.summary["optimality_gap"]
    if barrier == "uniform":
        assert gap > 0.15
    else:
        assert gap < LAMBDA
    certificate = json.loads((tmp_path / "run" / "certificate.json").read_text())
    assert certificate["barrier"] == barrier
    by = [claim["by"] for claim in certificate["proved"]]
    assert ("Theorem D1, weighted barrier" in by) == (barrier == "weighted")
    assert ("Lemma 2, tight form" in by) == (barrier == "uniform")
    assert check_certificate(tmp_path / "run").holds
    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert run.evaluate().objective == last["objective"] == certificate["objective"]
    assert main(["report", str(tmp_path / "run")]) == 0
    page = (tmp_path / "run" / "report.html").read_text()
    assert ("threshold of Theorem D1" in page) == (barrier == "weighted")
    assert ("by Theorem D1, weighted barrier: no joint policy earns more" in page) == (barrier == "weighted")


@pytest.mark.parametrize("gap", ["nash", "optimality"])
def test_a_run_on_a_chain_ends_when_theorem_d1_certifies_it(tmp_path, gap):
    """M is 1 in a game of one state; the price of the edges, which is rounding alone here, comes off."""
    chain(tmp_path)
    run = bnpg.train(
        tmp_path / "chain.npz", initial=tmp_path / "out.npz", mode="exact", rounds=2000,
        step_size="barzilai-borwein", barrier="weighted", stop_at_epsilon=0.02, stop_gap=gap,
        launcher="memory", out=tmp_path / "run", fsync=False,
    )  # fmt: skip
    assert 0.02 * (1 - 1e-8) < run.experiment.regularization < 0.02
    assert 0 < run.rounds < 2000
    assert run.summary["certified"] is True
    certificate = json.loads((tmp_path / "run" / "certificate.json").read_text())
    (claim,) = [one for one in certificate["proved"] if one["by"] == "Theorem D1, weighted barrier"]
    assert claim["claim"] == "epsilon-optimal"
    assert certificate["proved"][1]["epsilon"] <= claim["epsilon"] <= 0.02
    assert claim["gradient"] <= claim["threshold"]
    assert 1.0 < claim["constant"] <= 1.001  # with the price in it, and so told as the next number above
    assert "of at most 0.02 (Theorem D1, weighted barrier, C = 1.001)" in run.summary["certificate"]
    assert check_certificate(tmp_path / "run").holds
    before = read_lines(tmp_path / "run" / "metrics.jsonl")[-2]
    assert before.nash_gap is UNSET or before.round % 10 == 0


@pytest.mark.parametrize(
    ("mode", "direction"), [("exact", "gradient"), ("exact", "natural"), ("sampled", "gradient")]
)
def test_machines_and_the_algorithm_in_one_file_agree(mode, direction):
    experiment = Experiment(
        game=GAME, mode=mode, dag="2-0,0-1", direction=direction, learning_rate=0.5, initial="normal",
        lanes=8, horizon=4, rounds=4, regularization=0.05, barrier="weighted", evaluate_every=0,
    )  # fmt: skip
    *_, team = learn(experiment)
    found = policy_digest([policy.theta["theta"] for policy in team])
    assert found == simulate(experiment).digest
    *_, uniform = learn(msgspec.structs.replace(experiment, barrier="uniform"))
    assert found != policy_digest([policy.theta["theta"] for policy in uniform])


def test_each_agent_has_a_lambda_of_its_own():
    experiment = Experiment(game=GAME, dag="2-0,0-1", regularization=0.3, barrier="weighted")
    dag = Dag(3, ((2, 0), (0, 1)))
    assert experiment.weights(dag, (3, 3, 3)) == barrier_weights(dag, (3, 3, 3), 0.3).regularizations
    plain = Experiment(game=GAME, dag="2-0,0-1", regularization=0.3)
    assert plain.weights(dag, (3, 3, 3)) == 0.3


def test_a_graph_that_is_not_perfect_is_refused_with_the_edge_that_it_lacks():
    fields = {"game": "climbing3", "dag": "0-2,1-2", "regularization": 0.1, "barrier": "weighted"}
    with pytest.raises(InputError, match="agents 0 and 1 have a common child and no edge: add the edge 0-1"):
        plan_experiment(fields)
