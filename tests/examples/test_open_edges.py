"""`examples/open_edges`: gates keep to their budget, a network told what is open does what it did before."""

import runpy
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import msgspec
import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "open_edges"
PARTS = ("worlds", "gates", "hearing", "learning", "teams", "by_hand")
Part = Callable[[str], ModuleType]


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Iterator[Part]:
    """Import what the example consists of."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    for name in PARTS:
        sys.modules.pop(name, None)
    yield import_module
    for name in PARTS:
        sys.modules.pop(name, None)


def test_a_study_ends_in_its_table_and_does_not_train_what_it_has(
    part: Part, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    del part  # the program finds its parts by itself, and leaves none behind
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(variable, "1")
    monkeypatch.setattr(sys, "argv", ["open_edges", "relay", "--quick", "--out", str(tmp_path)])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    told = capsys.readouterr().out
    assert "relay(agents=4, goals=4, T=1), 2 seeds, at most 2 of 6 edges" in told
    assert told.count("| open by state | ") == 1
    kept = tmp_path / "relay.jsonl"
    whole = kept.read_bytes()
    # The last seed is lost, as if it had been killed: only that is trained again, to the same bits.
    kept.write_bytes(whole.splitlines(keepends=True)[0])
    monkeypatch.setattr(sys, "argv", ["open_edges", "relay", "--quick", "--out", str(tmp_path)])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert kept.read_bytes() == whole
    assert capsys.readouterr().out == told


def test_all_teams_of_a_seed_keep_the_order_of_the_dense_one(part: Part) -> None:
    worlds, teams = part("worlds"), part("teams")
    study = worlds.STUDIES["aloha"]
    found = list(teams.results(study, 0, True))
    assert [one.team for one in found] == [
        teams.DENSE,
        teams.PRUNED,
        *worlds.KINDS,
    ]
    assert found[0].opened == len(study.dag.edges)
    assert found[1].opened == study.budget == found[1].dag.count("-")
    assert msgspec.json.decode(msgspec.json.encode(found), type=list[teams.Result]) == found


@pytest.mark.parametrize("budget", [0.0, 0.5, 1.3, 3.0])
def test_no_more_is_open_on_average_than_the_budget_has(part: Part, budget: float) -> None:
    gates = part("gates")
    rng = np.random.default_rng(0)
    everything = rng.normal(size=(500, 2))
    opened = rng.random((500, 3)) < 0.5
    # The first edge is worth something where the first number is above 0, the others nothing ever.
    earned = np.where(opened[:, 0], np.maximum(0.0, everything[:, 0]), 0.0)
    together = gates.fitted(1, 0, range(3), range(2), (everything, opened, earned))
    apart = [gates.fitted(1, 1, edges, range(2), (everything, opened, earned)) for edges in ((0,), (1, 2))]
    for parts in ((together,), tuple(apart)):
        gate = gates.Valued(parts).within(everything, budget)
        found = gate.opened(everything)
        assert found.mean(axis=0).sum() <= budget
        if budget == 0.5:
            assert found[:, 0].mean() > 0.2
            assert everything[found[:, 0], 0].mean() > 0.3


def test_sets_come_from_small_to_large(part: Part) -> None:
    sets = part("gates").sets_of(3)
    assert sets.shape == (8, 3)
    assert len(np.unique(sets, axis=0)) == 8
    assert np.all(np.diff(sets.sum(axis=1)) >= 0)


def test_what_is_not_heard_is_expected(part: Part) -> None:
    from bnpg_math.policies.encoding import Encoding
    from bnpg_math.policies.network import initial_network
    from bnpg_math.policies.network_pruning import InputMoments

    hearing = part("hearing").hearing
    rng = np.random.default_rng(0)
    encoding = Encoding(0, 2, (3, 2))
    dense = initial_network(0, 1, encoding, (8,), 3)
    seen = rng.normal(size=(4000, 2))
    first = rng.integers(3, size=4000)
    second = (first == 2).astype(np.int64)  # the first parent gives the second one away
    moments = InputMoments(encoding)
    moments.add(seen, [first, second])
    told = hearing(dense, moments, deaf=False)
    every, only_first = np.ones((4000, 2)), np.tile([1.0, 0.0], (4000, 1))
    np.testing.assert_array_equal(
        told.log_pi(np.concatenate([seen, every], axis=1), [first, second]),
        dense.log_pi(seen, [first, second]),
    )
    np.testing.assert_allclose(
        told.log_pi(np.concatenate([seen, only_first], axis=1), [first, 1 - second]),
        dense.log_pi(seen, [first, second]),
        atol=1e-4,
    )
    deaf = hearing(dense, moments, deaf=True)
    rows = deaf.encoding.rows(np.concatenate([seen, every], axis=1), [first, second])
    np.testing.assert_array_equal(rows[:, 2:4], every)
    np.testing.assert_allclose(
        rows[:, 4:].mean(axis=0), [*(np.bincount(first) / 4000), *(np.bincount(second) / 4000)], atol=1e-3
    )
    assert rows[:, 4:].std(axis=0).max() < 0.1


def test_by_hand_all_take_what_they_would_on_the_complete_graph(
    part: Part, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = part("by_hand").assign(0, 20_000)
    error = found.returns.std() / np.sqrt(len(found.returns))
    assert abs(found.returns.mean() - 163 / 240) < 4 * error
    assert set(np.unique(found.opened)) <= set(range(7))
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(variable, "1")
    monkeypatch.setattr(sys, "argv", ["open_edges", "by-hand"])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert "edges open 2.4" in capsys.readouterr().out
