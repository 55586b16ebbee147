"""`--policy direct` from the command to the certificate: probabilities that may be 0."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import bnpg
from bnpg.algorithm import learn
from bnpg.certified.checking import check_certificate
from bnpg.certified.exact_check import main as check_alone
from bnpg_math.errors import InputError

CLIMB = {
    "mode": "exact",
    "policy": "direct",
    "learning_rate": "certified",
    "rounds": 60,
    "launcher": "memory",
}


@pytest.mark.parametrize("save_policy", [False, True])
@pytest.mark.parametrize("dag", ["empty", "complete"])
def test_a_run_comes_to_the_bits_of_the_algorithm_and_is_certified(
    here: Path, dag: str, save_policy: bool
) -> None:
    run = bnpg.train("climbing", dag=dag, out="run", save_policy=save_policy, **CLIMB)
    *_, team = learn(run.experiment)
    for policy, theta, table in zip(team, run.thetas, run.policy.tables, strict=True):
        assert np.array_equal(policy.table, theta)
        assert np.array_equal(theta, table)
    assert any((theta == 0.0).any() for theta in run.thetas)
    values = [line["value"] for line in run.lines]
    assert all(later >= earlier - 1e-12 for earlier, later in pairwise(values))
    certificate = json.loads(Path("run/certificate.json").read_text())
    assert certificate["policy"] == "direct"
    assert {entry["by"].split(",")[0] for entry in certificate["proved"]} == {
        "best responses", "policy iteration",
    }  # fmt: skip
    assert check_certificate(Path("run")).holds
    assert check_alone(["run"]) == 0
    assert run.evaluate().nash_gap == run.lines[-1]["nash_gap"]
    assert bnpg.evaluate("climbing", run.policy).value == run.lines[-1]["value"]
    saved = Path("again.npz")
    bnpg.save_policy(run.policy, saved)
    assert bnpg.load_policy(saved).digest == run.policy.digest == run.summary["policy_digest"]


def test_a_run_without_a_round_is_certified_where_it_begins(here: Path) -> None:
    asked = CLIMB | {"rounds": 0, "initial": "normal", "seed": 5}
    run = bnpg.train("random(agents=3, actions=5, seed=1)", dag="complete", out="run", **asked)
    assert check_certificate(Path("run")).holds
    assert run.policy.digest == run.summary["policy_digest"]


def test_a_tampered_table_is_found_out(here: Path) -> None:
    bnpg.train("climbing", dag="empty", out="run", save_policy=True, **CLIMB)
    arrays = dict(np.load("run/policy.npz"))
    arrays["pi_0"] = np.array([[1.0, 0.0, 0.0]])
    np.savez("run/policy.npz", **arrays)
    assert not check_certificate(Path("run")).holds
    assert check_alone(["run"]) == 5


def test_a_run_starts_from_a_policy_with_zeros(here: Path) -> None:
    corner = bnpg.Policy.from_tables(bnpg.Dag(2), [[[1.0, 0.0, 0.0]], [[0.5, 0.5, 0.0]]])
    run = bnpg.train("climbing", initial=corner, out="run", **(CLIMB | {"rounds": 1}))
    *_, team = learn(run.experiment.__class__(**{**_fields(run), "initial": "run/initial.npz"}))
    assert all(
        np.array_equal(policy.table, table) for policy, table in zip(team, run.policy.tables, strict=True)
    )
    assert run.policy.tables[0][0, 2] > 0.0 == run.policy.tables[0][0, 1]


def _fields(run: bnpg.Run) -> dict:
    return {name: getattr(run.experiment, name) for name in run.experiment.__struct_fields__}


def test_resumed_after_an_end_of_all_processes_it_is_the_same(here: Path) -> None:
    """With processes of its own, two of which are killed on the way."""
    Path("faults.toml").write_text(
        '[[kill]]\nprocess = "agent-1"\nphase = "stored"\nround = 3\n'
        '[[kill]]\nprocess = "coordinator"\nphase = "signalling"\nround = 5\n'
    )
    asked = CLIMB | {"rounds": 8, "launcher": "local", "dag": "complete"}
    run = bnpg.train("climbing", out="run", faults="faults.toml", **asked)
    *_, team = learn(run.experiment)
    assert all(np.array_equal(policy.table, theta) for policy, theta in zip(team, run.thetas, strict=True))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"mode": "sampled"}, "policy direct needs mode exact, got sampled: an action whose probability"),
        ({"regularization": 0.1}, "policy direct needs regularization 0.0, got 0.1: the log barrier is inf"),
        ({"step_size": "backtracking"}, "policy direct needs step_size fixed, got backtracking"),
        ({"direction": "natural", "learning_rate": 1.0}, "policy direct needs direction gradient"),
        ({"momentum": "nesterov"}, "policy direct needs momentum none, got nesterov"),
        ({"stop_at_epsilon": 0.5}, "policy direct needs stop_at_epsilon 0.0, got 0.5: the lemmas"),
        ({"policy": "tables"}, "policy must be table, direct or a network such as mlp:64,64, got 'tables'"),
    ],
)
def test_what_does_not_go_with_it_is_refused_in_one_line(here: Path, asked: dict, told: str) -> None:
    with pytest.raises(InputError) as refusal:
        bnpg.train("climbing", out="run", **(CLIMB | asked))
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not Path("run").exists()
