"""`bnpg dag advise`: perfect or not, additive or not, prices, and proposals that keep what they say."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bnpg.__main__ import main
from bnpg.advice.advice import advise
from bnpg.advice.document import as_json, findings
from bnpg_math.arrays.joint import joint_policy, spread
from bnpg_math.dag import Dag, complete, empty, line
from bnpg_math.dag.perfect import is_perfect
from bnpg_math.exact.coverage import coverage
from bnpg_math.exact.gauge import Gauge
from bnpg_math.exact.optimum import solve_in_doubles
from bnpg_math.games.file import save_game
from bnpg_math.games.game import dense_game
from bnpg_math.games.registry import game as find_game
from bnpg_math.policies.softmax import policy
from bnpg_math.theory.additivity import additivity
from bnpg_math.theory.stationarity import gradients
from bnpg_math.theory.weighted_barrier import barrier_weights
from bnpg_math.theory.weighted_bound import spare


def pair_game(pairs, agents, actions=2, scale=None, seed=0):
    """One state, a reward that is a sum over pairs."""
    rng = np.random.default_rng(seed)
    reward = np.zeros((1, *(actions,) * agents))
    for pair in pairs:
        weight = (scale or {}).get(pair, 1.0)
        reward = reward + weight * spread(rng.normal(size=(1, actions, actions)), pair, agents)
    return dense_game("pairs", np.ones((*reward.shape, 1)), reward, np.ones(1), 0.0)


def answer(capsys, *arguments):
    assert main(["dag", "advise", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_keys_that_others_rely_on(capsys):
    found = answer(capsys, "climbing", "--dag", "empty")
    assert (found["perfect"], found["additive"]) == (True, False)
    assert found["xi"] == pytest.approx(19.5)
    [exact, nothing] = found["proposals"]
    assert exact["edges"] == [[0, 1]]
    assert exact["additive"]
    assert nothing["edges"] == []
    assert (found["budget"], found["budget_reason"]) == (None, "none was asked for: --budget")


def test_a_graph_that_is_not_perfect_is_named_and_promises_nothing(capsys):
    found = answer(capsys, "climbing3", "--dag", "0-2,1-2")
    assert not found["perfect"]
    assert found["unmarried"] == [[0, 1]]
    assert found["gap_not_excluded"] is None
    assert found["rounds_natural"] is None
    assert "not perfect" in found["reason"]
    assert all(one["perfect"] for one in found["proposals"])


@pytest.mark.parametrize("scale", [1e-310, 1e-300, 1e-160, 1e100])
def test_rewards_of_any_size_are_answered(capsys, tmp_path, scale):
    payoff = find_game("climbing").reward * scale
    save_game(dense_game("sized", np.ones((1, 3, 3, 1)), payoff, np.ones(1), 0.0), tmp_path / "sized.npz")
    found = answer(capsys, str(tmp_path / "sized.npz"), "--dag", "empty")
    assert (found["perfect"], found["additive"]) == (True, False)


def test_edges_are_worth_what_their_interaction_is():
    """Strong pairs 0-1 and 1-2, a weak pair 0-2."""
    game = pair_game([(0, 1), (1, 2), (0, 2)], 3, scale={(0, 2): 0.01})
    prices = [advise(game, dag).subject.xi for dag in (empty(3), Dag(3, ((0, 1),)), line(3), complete(3))]
    assert prices == sorted(prices, reverse=True)
    assert prices[3] == 0.0 < prices[2] < 0.02 < prices[1] < prices[0]
    advice = advise(game, line(3))
    values = dict((*advice.present, *advice.missing))
    assert values[0, 2] == pytest.approx(prices[2])
    assert min(values[0, 1], values[1, 2]) > 10 * values[0, 2]


@pytest.mark.parametrize("seed", range(4))
def test_exact_proposals_are_perfect_and_the_game_is_additive_over_them(seed):
    rng = np.random.default_rng(seed)
    pairs = [(i, j) for i in range(5) for j in range(i + 1, 5) if rng.random() < 0.4]
    game = pair_game(pairs, 5, seed=seed)
    proposals = {one.name: one.assessment for one in advise(game, empty(5)).proposals}
    for name in ("fewest edges", "largest threshold", "complete"):
        if name in proposals:
            dag = proposals[name].dag
            assert is_perfect(dag)
            assert additivity(game, dag).additive
            assert proposals[name].xi <= 1e-12
    fewest = proposals["fewest edges"]
    assert all(len(one.dag.edges) >= len(fewest.dag.edges) for one in proposals.values() if one.additive)
    largest = proposals.get("largest threshold", fewest)
    assert all(one.threshold <= largest.threshold for one in proposals.values() if one.additive)


def test_a_long_chain_is_dissected():
    """Nine agents: too many for all orders. The middle acts first, and tau is larger than on the chain."""
    game = pair_game(line(9).edges, 9)
    advice = advise(game, line(9))
    proposals = {one.name: one.assessment for one in advice.proposals}
    assert len(proposals["fewest edges"].dag.edges) == 8
    assert proposals["largest threshold"].threshold > 10 * advice.subject.threshold
    assert proposals["largest threshold"].height <= 4


def test_a_budget_is_kept_and_more_edges_never_cost_more(capsys, tmp_path):
    game = pair_game([(0, 1), (1, 2), (2, 3), (0, 3)], 4, seed=3)
    save_game(game, tmp_path / "ring.npz")
    found = answer(capsys, str(tmp_path / "ring.npz"), "--budget", "3")
    assert found["budget"] == 3
    assert {len(one["edges"]) for one in found["proposals"]} == {0, 1, 2, 3}
    prices = [one["xi"] for one in sorted(found["proposals"], key=lambda one: len(one["edges"]))]
    assert prices == sorted(prices, reverse=True)
    whole = answer(capsys, str(tmp_path / "ring.npz"))
    assert len(whole["proposals"][0]["edges"]) == 5  # a ring of four needs a chord
    assert whole["together"] == [[0, 1], [0, 3], [1, 2], [2, 3]]


def test_what_a_proposal_costs(capsys):
    found = answer(capsys, "coordination(agents=3)", "--dag", "complete", "--epsilon", "1.5")
    assert found["parameters"] == 8 * (2 + 4 + 8)
    assert found["messages_per_step"] == 2 * 3 + 3
    assert found["hops"] == 4
    assert found["threshold"] == pytest.approx(1 / (2 + 4 + 8))
    work = np.log(8) / 0.05 + 3 * find_game("coordination(agents=3)").reward_range / 0.05**2
    assert found["rounds_natural"] == pytest.approx(work / 1.5)


def test_where_no_rounds_can_be_promised_it_says_why(capsys):
    found = answer(capsys, "slotted_aloha", "--dag", "complete")
    assert found["rounds_weighted"] is None
    assert "Assumption 1 fails" in found["reason"]
    assert found["rounds_natural"] > 0


def test_prices_are_those_of_the_policy_that_is_named(capsys, tmp_path):
    spec = "coordination(agents=3)"
    uniform, optimal = (answer(capsys, spec, "--at", at)["xi"] for at in ("uniform", "optimal"))
    assert uniform != optimal
    shapes = [(8, 2), (8, 2, 2), (8, 2, 2)]
    zeros = {f"theta_{agent}": np.zeros(shape) for agent, shape in enumerate(shapes)}
    np.savez(tmp_path / "zeros.npz", edges=np.array([[0, 1], [1, 2]]), **zeros)
    assert answer(capsys, spec, "--at", str(tmp_path / "zeros.npz"))["xi"] == pytest.approx(uniform, rel=1e-9)


@pytest.mark.parametrize("at", ["uniform", "optimal"])
def test_the_bound_at_any_policy_is_not_below_the_price_at_one(at):
    game = find_game("coordination(agents=3)")
    subject = advise(game, line(3), at).subject
    assert subject.xi <= subject.xi_any


def hidden_hunt():
    """A stag hunt in the transitions, which pays only through a state whose value is 0 if all is random."""
    pay = np.array([[1.0, 0.0], [0.0, 0.5]])
    P = np.full((2, 2, 2, 2), 0.5)
    P[0, ..., 1], P[0, ..., 0] = pay, 1.0 - pay
    reward = np.zeros((2, 2, 2))
    reward[1, 0], reward[1, 1] = 1.0, -1.0
    return dense_game("hidden hunt", P, reward, np.ones(2) / 2, 0.9)


def test_what_is_not_excluded_holds_where_a_team_comes_to_rest_and_not_at_random_alone():
    """Every advantage adds up at the uniform policy, and the bound there used to be told of all others."""
    game, dag, lam = hidden_hunt(), empty(2), 1e-3
    subject = advise(game, dag).subject
    weights = barrier_weights(dag, game.actions, lam).regularizations
    both = [-2.8990181550489282, 6.899018154983861]
    tables = [policy(np.array(theta)) for theta in ([both, [5.64887735267, -5.64887735267]], [both, [0, 0]])]
    grads = gradients(game, dag, tables, weights)
    assert max(float(part.max()) for part in grads) < spare(dag, game.actions, weights)[0] / game.states
    gap = Gauge(game).gaps(dag, tables).optimality_gap
    cost = lam * coverage(game, joint_policy(tables, dag), solve_in_doubles(game)).largest
    assert gap > 1.5 > 10 * cost
    assert subject.xi < 1e-12
    assert gap <= cost + subject.not_excluded
    assert subject.not_excluded <= game.reward_range / (1 - game.gamma) * (1 + 1e-12)


@pytest.mark.parametrize("gamma", [0.0, 0.99])
def test_a_constant_in_the_rewards_makes_no_edge_worth_anything(gamma):
    states = 2 if gamma else 1
    reward = 1e9 + np.array([[[0.0, 1.0], [2.0, 3.0]]] * states)
    P = np.full((states, 2, 2, states), 1.0 / states)
    advice = advise(dense_game("additive", P, reward, np.ones(states) / states, gamma), empty(2))
    assert advice.missing == (((0, 1), 0.0),)
    assert advice.subject.xi <= advice.subject.xi_any <= 1e-11


@pytest.mark.parametrize("at", ["uniform", "optimal"])
def test_a_price_beside_a_constant_is_not_below_the_price_without(at):
    """In a game that is far from additive, with every reward exact."""
    plain = hidden_hunt()
    shifted = replace(plain, reward=plain.reward + 2.0**40)
    found = advise(shifted, empty(2), at).subject
    assert found.xi == pytest.approx(advise(plain, empty(2), at).subject.xi, rel=1e-9, abs=1e-11)


def test_rounds_are_promised_for_what_rounding_leaves_of_the_goal():
    """P is additive but for its last digits, which a far horizon makes dear."""
    P = np.zeros((2, 2, 2, 2))
    P[..., 0] = 0.3 + np.array([0.0, 0.1]).reshape(2, 1) + np.array([0.0, 0.2])
    P[..., 1] = 1.0 - P[..., 0]
    reward = np.array([0.0, 1.0]).reshape(2, 1, 1) + np.zeros((2, 2, 2))
    subject = advise(dense_game("far", P, reward, np.ones(2) / 2, 1 - 2.0**-42), empty(2)).subject
    assert subject.additive
    assert (subject.rounds_natural, subject.rounds_weighted) == (None, None)
    assert "up to rounding, which may cost" in subject.reason


def test_a_price_is_told_as_the_bound_it_is():
    advice = advise(find_game("coordination(agents=3)"), line(3))
    told = " ".join(findings(replace(advice, subject=replace(advice.subject, xi=1.23441))))
    assert "at the uniform policy: at most 1.235; at any" in told
    whole = advise(find_game("climbing"), complete(2))
    assert "at every policy: 0." in " ".join(findings(whole))


def test_what_is_promised_is_rounded_up():
    advice = advise(find_game("coordination(agents=3)"), line(3), epsilon=0.1234564)
    subject = replace(advice.subject, xi_any=1.23441, not_excluded=4.56711, additive=False)
    told = " ".join(findings(replace(advice, subject=subject)))
    assert "at any policy at most 1.235." in told
    assert "may be 4.568 from the optimum" in told
    subject = replace(subject, rounds_natural=1231.0, rounds_weighted=5671.0, reason=None)
    told = " ".join(findings(replace(advice, subject=subject)))
    assert "For a gap of 0.1235: 1.24e+03 natural updates" in told
    assert "or 5.68e+03 of (3)" in told


def test_every_number_is_finite_or_null():
    def plain(value):
        if isinstance(value, dict):
            return all(plain(one) for one in value.values())
        if isinstance(value, list):
            return all(plain(one) for one in value)
        return value is None or isinstance(value, str | bool | int) or np.isfinite(value)

    for spec in ("stag_hunt", "slotted_aloha", "congestion"):
        assert plain(as_json(advise(find_game(spec), line(find_game(spec).agents))))


def test_the_human_form_and_the_page(capsys, tmp_path):
    page = tmp_path / "advice.html"
    assert main(["dag", "advise", "climbing3", "--dag", "0-2,1-2", "--report", str(page)]) == 0
    shown = capsys.readouterr().out
    assert "The DAG is not perfect: 0 and 1 have a common child, but no edge." in shown
    assert "--dag 0-1,0-2,1-2" in shown
    text = page.read_text()
    assert text.count('<svg class="dag"') == 1 + shown.count("--dag")
    assert "http://" not in re.sub(r"http://www\.w3\.org/[\w/]*", "", text), (
        "names of namespaces lead nowhere"
    )
    assert main(["dag", "advise", "climbing3", "--report", str(page)]) == 2
    assert "never overwritten" in capsys.readouterr().err


def test_the_page_of_the_documents_shows_what_comes_out(capsys):
    page = Path(__file__).parents[2] / "docs" / "how-to" / "choose-a-graph.md"
    shown = re.search(r"\$ bnpg dag advise climbing --dag empty\n(.*?)```", page.read_text(), re.S)
    assert main(["dag", "advise", "climbing", "--dag", "empty"]) == 0
    assert capsys.readouterr().out == shown[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "unknown game"),
        (["climbing", "--dag", "0-5"], "must join agents"),
        (["climbing", "--at", "missing.npz"], "missing.npz"),
        (["climbing", "--budget", "-1"], "budget"),
        (["climbing", "--epsilon", "0"], "epsilon"),
        (["climbing", "--report", "no/such/folder.html"], "cannot be written"),
    ],
)
def test_bad_input_is_a_line(arguments, said, capsys):
    assert main(["dag", "advise", *arguments]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
