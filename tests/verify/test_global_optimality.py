"""`bnpg verify` checks Theorems A, B and D, and would notice if one of them failed."""

import pytest

from bnpg.lab.verify import global_optimality as module
from bnpg.lab.verify.cases import Case
from bnpg_math.dag import Dag, complete, empty, line
from bnpg_math.games.registry import game as find_game

SPEC = "random(states=2, agents=2, actions=2, branching=2, gamma=0.5)"


def claims(dag: Dag, spec: str = SPEC):
    case = Case("here", find_game(spec), dag, 0)
    return [
        finding for claim in (module.theorem_a, module.theorem_b, module.theorem_d) for finding in claim(case)
    ]


def test_they_hold_on_small_games():
    found = claims(complete(2)) + claims(empty(2)) + claims(line(3), "climbing3")
    assert {finding.claim for finding in found} >= {"Theorem B", "(*): local advantages add up"}
    assert not [finding for finding in found if finding.violation]


def test_findings_are_plain_numbers_for_the_report():
    for finding in [*claims(empty(2)), *claims(complete(2)), *module.chain_of_three()]:
        assert type(finding.measured) in (int, float), finding
        assert (type(finding.limit), type(finding.holds)) == (float, bool), finding


def test_theorems_a_and_b_speak_of_the_complete_dag():
    names = {finding.claim for finding in claims(empty(2))}
    assert not any(name.startswith(("Theorem A", "Theorem B")) for name in names)


def test_sparse_graphs_are_checked_in_games_made_additive():
    names = {finding.claim for finding in claims(line(3), "climbing3")}
    assert {"Theorem D2", "Theorem D2: no state's value falls"} <= names


def test_the_chain_refutes_the_uniform_barrier_and_not_the_weighted_one(monkeypatch):
    found = {finding.claim: finding for finding in module.chain_of_three()}
    uniform, weighted = found["a gap of at most lambda on a sparse perfect DAG"], found["Theorem D1"]
    assert not uniform.holds
    assert weighted.holds
    assert found["Theorem D1 in a certificate"].holds
    assert not any(finding.violation for finding in found.values())
    monkeypatch.setattr(module, "barrier_regularization", lambda _dag, _actions, lam, _kind: lam)
    assert any(finding.violation for finding in module.chain_of_three())


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("natural_bound", lambda *_: 1e-9),
        ("distance_constant", lambda *_: 0.0),
        ("largest_fall", lambda *_: 0.1),
        ("price", lambda *_: type("Price", (), {"xi": -1.0})),
    ],
)
def test_a_wrong_constant_would_be_noticed(name, wrong, monkeypatch):
    monkeypatch.setattr(module, name, wrong)
    assert any(finding.violation for finding in claims(complete(2)))
