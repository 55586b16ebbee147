"""Files of networks: what was written is read again, and what cannot be used is one line."""

import numpy as np
import pytest

from bnpg_math.dag import Dag
from bnpg_math.errors import PolicyError
from bnpg_math.networks.mlp import initial
from bnpg_math.policies.encoding import Encoding
from bnpg_math.policies.file import load_policy, save_policy
from bnpg_math.policies.joint import Policy
from bnpg_math.policies.network_file import NetworkTeam, read_policy, write_policy

LINE = Dag(2, ((0, 1),))
HIDDEN, ACTIONS, STATES = (12, 4), (2, 3), 5


def team(dag: Dag = LINE, seed: int = 1) -> NetworkTeam:
    inputs = [STATES + sum(ACTIONS[parent] for parent in dag.parents[agent]) for agent in range(2)]
    return NetworkTeam(
        dag, tuple(initial(seed, agent, inputs[agent], HIDDEN, ACTIONS[agent], 1.0) for agent in range(2))
    )


def test_what_was_written_is_read_again(tmp_path):
    written = team()
    write_policy(written, tmp_path / "a.npz")
    read = read_policy(tmp_path / "a.npz")
    assert isinstance(read, NetworkTeam)
    assert read.digest == written.digest
    assert (read.dag, read.hidden, read.actions, read.text) == (LINE, HIDDEN, ACTIONS, "mlp:12,4")
    for one, other in zip(read.thetas, written.thetas, strict=True):
        # The order of the names decides where a number is in the vector that agents are told.
        assert list(one) == list(other)
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_a_file_of_tables_is_read_as_ever(tmp_path):
    tables = Policy.from_tables(LINE, [[[0.5, 0.5]], [[[1, 0], [0, 1]]]])
    save_policy(tables, tmp_path / "t.npz")
    assert read_policy(tmp_path / "t.npz") == tables


def test_who_takes_tables_only_says_so_of_networks(tmp_path):
    write_policy(team(), tmp_path / "a.npz")
    with pytest.raises(PolicyError, match=r"a\.npz holds networks; expected tables"):
        load_policy(tmp_path / "a.npz")


def test_networks_show_tables_where_states_are_seen():
    shown = team().tabulated(STATES)
    assert [table.shape for table in shown.tables] == [(5, 2), (5, 2, 3)]
    for table in shown.tables:
        np.testing.assert_allclose(table.sum(axis=-1), 1.0, rtol=1e-14)
    with pytest.raises(PolicyError, match="agent 0 sees 5 inputs, expected the 4 states"):
        team().tabulated(4)


def spoilt(name: str, array: np.ndarray | None) -> dict[str, np.ndarray]:
    arrays = {f"theta_{i}/{key}": one for i, theta in enumerate(team().thetas) for key, one in theta.items()}
    arrays["edges"] = np.array(LINE.edges)
    if array is None:
        del arrays[name]
    else:
        arrays[name] = array
    return arrays


@pytest.mark.parametrize(
    ("name", "array", "told"),
    [
        ("edges", None, "lacks edges"),
        ("edges", np.array([[0, 2]]), "policy file .*x.npz"),
        ("theta_1/0.bias", None, r"agent 1: 0.bias of a network must have shape \(12,\), got none"),
        ("theta_1/2.weight", np.zeros((4, 7)), r"agent 1: 2.weight .* must have shape \(4, 12\)"),
        ("theta_0/0.weight", None, "the network of agent 0 lacks 0.weight"),
        ("theta_0/0.weight", np.full((12, 5), np.nan), "parameters of agent 0 must be finite"),
        ("theta_0/0.weight", np.full((12, 5), "a"), "must hold float64 numbers"),
        ("theta_1/0.weight", np.zeros((12, 2)), "0.weight of agent 1 must have more columns"),
        ("theta_3/0.bias", np.zeros(12), "without a gap, got"),
        ("theta_0/4.bias", np.zeros((2, 2)), "agent 0: 4.bias of a network must have shape"),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path, name, array, told):
    np.savez(tmp_path / "x.npz", **spoilt(name, array))
    with pytest.raises(PolicyError, match=told) as refused:
        read_policy(tmp_path / "x.npz")
    assert "\n" not in str(refused.value)


def test_networks_of_other_sizes_are_refused_by_the_shape_that_differs():
    encodings = [Encoding(STATES, 0, ()), Encoding(STATES, 0, (2,))]
    team().check(HIDDEN, encodings, ACTIONS)
    with pytest.raises(PolicyError, match=r"agent 0: 0.bias .* must have shape \(8,\), got \(12,\)"):
        team().check((8, 4), encodings, ACTIONS)
    with pytest.raises(PolicyError, match=r"agent 0: 0.weight of a network must have shape \(12, 6\)"):
        team().check(HIDDEN, [Encoding(6, 0, ()), encodings[1]], ACTIONS)
