"""Game and policy files: what is written is read back, and every bad file gives one clear line."""

import tracemalloc

import numpy as np
import pytest

from bnpg_math.arrays import npz
from bnpg_math.dag import Dag, complete, empty
from bnpg_math.errors import GameError, InputError, PolicyError
from bnpg_math.games.file import load_game, save_game
from bnpg_math.games.game import dense_game
from bnpg_math.games.registry import game as built_in
from bnpg_math.policies.file import load_policy, save_policy
from bnpg_math.policies.joint import Policy, check_policy, policy_digest
from bnpg_math.policies.network_file import read_policy

GAME = {
    "transition": np.full((2, 3, 2), 0.5),
    "reward": np.arange(6.0).reshape(2, 3),
    "initial": np.array([0.25, 0.75]),
    "gamma": np.array(0.9),
}
POLICY = {
    "edges": np.array([[1, 0]]),
    "theta_0": np.arange(12.0).reshape(2, 3, 2),
    "theta_1": np.arange(6.0).reshape(2, 3),
}


def write(path, arrays, **changes):
    content = {name: array for name, array in {**arrays, **changes}.items() if array is not None}
    np.savez(path, **content)
    return path


def one_line(error):
    return "\n" not in str(error.value) and len(str(error.value)) < 400


def test_a_game_survives_the_round_trip(tmp_path, problem):
    game = problem(2).game
    save_game(game, tmp_path / "g.npz")
    again = load_game(tmp_path / "g.npz")
    assert again.name == "g"
    assert again.digest == game.digest


def test_a_structured_game_is_written_as_the_whole_tensor(tmp_path):
    game = built_in("coordination(agents=2)")
    save_game(game, tmp_path / "g.npz")
    again = load_game(tmp_path / "g.npz")
    np.testing.assert_array_equal(again.transition.to_dense(), game.transition.to_dense())
    assert again.gamma == 0.95


def test_a_game_too_large_to_export_is_refused(tmp_path):
    with pytest.raises(GameError, match="at most 4 GiB, got 8 GiB"):
        save_game(built_in("coordination(agents=10)"), tmp_path / "g.npz")
    assert not list(tmp_path.iterdir())


def test_integers_and_single_precision_are_converted(tmp_path):
    path = write(
        tmp_path / "g.npz", GAME, reward=np.arange(6).reshape(2, 3), transition=np.full((2, 3, 2), 0.5, "f4")
    )
    game = load_game(path)
    assert game.reward.dtype == np.float64
    assert game.transition.actions == (3,)


def test_unknown_arrays_are_ignored(tmp_path):
    load_game(write(tmp_path / "g.npz", GAME, comment=np.array(["hello"])))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reward": None}, "lacks reward; expected transition, reward, initial, gamma"),
        ({"gamma": np.array([0.9])}, r"gamma must be a scalar, got shape \(1,\)"),
        ({"gamma": np.array(1.0)}, r"gamma must be in \[0, 1\)"),
        ({"gamma": np.array(np.nan)}, "gamma must be in"),
        ({"reward": np.array([["a"] * 3] * 2)}, "reward must hold float64 numbers, got dtype <U1"),
        ({"reward": np.ones((2, 3), complex)}, "got dtype complex128"),
        ({"reward": np.ones((2, 3), bool)}, "got dtype bool"),
        ({"reward": np.ones((3, 2))}, r"reward must have shape \(2, 3\), got \(3, 2\)"),
        ({"reward": np.full((2, 3), np.nan)}, r"reward\[0, 0\] must be finite, got nan"),
        ({"initial": np.array([0.5, 0.6])}, "initial must sum to 1, got 1.1"),
        ({"transition": np.full((2, 3, 2), 0.4)}, r"transition\[0, 0\] must sum to 1, got 0.8"),
        ({"transition": np.eye(2)}, r"must have shape \(S, A_1"),
        ({"transition": np.zeros((2, 0, 2))}, "must have shape"),
        ({"transition": np.zeros((0, 3, 0))}, "must have shape"),
    ],
)
def test_bad_game_arrays_are_named(tmp_path, changes, message):
    path = write(tmp_path / "bad.npz", GAME, **changes)
    with pytest.raises(GameError, match=message) as error:
        load_game(path)
    assert one_line(error)
    assert "bad.npz" in str(error.value)


def damaged_files(tmp_path, good):
    content = good.read_bytes()
    middle = bytearray(content)
    middle[len(content) // 3] ^= 0xFF
    np.save(tmp_path / "single.npy", np.ones(3))
    variants = {
        "missing": None,
        "empty": b"",
        "text": b"hello, world\n",
        "cut": content[: len(content) // 2],
        "cut at the end": content[:-30],
        "flipped": bytes(middle),
        "pickle": b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00\x8c\x01a\x94.",
        "single": (tmp_path / "single.npy").read_bytes(),
    }
    for name, data in variants.items():
        path = tmp_path / f"{name}.npz"
        if data is not None:
            path.write_bytes(data)
        yield path
    yield tmp_path


def test_damaged_files_give_one_line(tmp_path):
    for path in damaged_files(tmp_path, write(tmp_path / "g.npz", GAME)):
        with pytest.raises(GameError) as error:
            load_game(path)
        assert one_line(error)
    for path in damaged_files(tmp_path, write(tmp_path / "p.npz", POLICY)):
        with pytest.raises(PolicyError) as error:
            load_policy(path)
        assert one_line(error)


def test_no_cut_or_flipped_byte_escapes_as_another_exception(tmp_path):
    content = write(tmp_path / "g.npz", GAME).read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.npz"
    for _ in range(300):
        damaged = bytearray(content[: int(rng.integers(len(content)))] if rng.random() < 0.3 else content)
        for place in rng.integers(max(len(damaged), 1), size=3):
            if damaged:
                damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(damaged))
        message = complaint(path)
        assert message is None or "\n" not in message


def test_a_file_that_is_cut_off_anywhere_is_one_line(tmp_path):
    path = tmp_path / "cut.npz"
    for load, content in ((load_game, GAME), (load_policy, POLICY)):
        whole = write(tmp_path / "whole.npz", content).read_bytes()
        for length in range(len(whole)):
            path.write_bytes(whole[:length])
            message = complaint(path, load)
            assert message is not None, length
            assert "cut.npz must be a complete .npz archive" in message


def test_a_disk_that_fails_while_it_is_read_is_one_line(tmp_path):
    path = tmp_path / "broken.npz"
    path.symlink_to("/proc/self/mem")  # a regular file, of which nothing can be read
    for load in (load_game, load_policy, read_policy):
        assert complaint(path, load).endswith("broken.npz cannot be read: Input/output error")


def complaint(path, load=load_game):
    try:
        load(path)
    except InputError as error:
        return str(error)
    return None


def test_pickled_objects_are_never_loaded(tmp_path):
    path = tmp_path / "g.npz"
    np.savez(path, **{**GAME, "reward": np.array([{}], dtype=object)})
    with pytest.raises(GameError, match=r"array 'reward' .* holds pickled objects"):
        load_game(path)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    game = dense_game("g", **GAME)
    save_game(game, tmp_path / "g.npz")
    before = (tmp_path / "g.npz").read_bytes()

    def fail(file, **arrays):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        save_game(dense_game("g", **{**GAME, "gamma": 0.1}), tmp_path / "g.npz")
    assert (tmp_path / "g.npz").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["g.npz"]


@pytest.mark.parametrize("dag", [empty(3), complete(3), Dag(3, ((2, 0),)), Dag(1)])
def test_a_policy_survives_the_round_trip(tmp_path, problem, dag):
    case = problem(1, dag=dag)
    policy = Policy(dag, tuple(case.thetas))
    save_policy(policy, tmp_path / "p.npz")
    with np.load(tmp_path / "p.npz") as raw:
        assert raw["edges"].shape == (len(dag.edges), 2)
        assert raw["edges"].dtype == np.int64
    again = load_policy(tmp_path / "p.npz")
    assert again.dag == dag
    assert again.digest == policy_digest(case.thetas)
    check_policy(again, case.game)


def test_the_digest_is_sha256_over_the_bytes_in_order():
    import hashlib

    thetas = [np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]).T]
    expected = hashlib.sha256(np.array([1.0, 2.0, 3.0, 4.0], dtype="<f8").tobytes()).hexdigest()
    assert policy_digest(thetas) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"edges": None}, "lacks edges"),
        ({"theta_0": None}, "lacks theta_0"),
        ({"theta_0": None, "theta_1": None}, "lacks theta_0"),
        ({"theta_3": np.zeros((2, 3))}, "lacks theta_2"),
        ({"edges": np.array([[0.0, 1.0]])}, r"edges must be integers of shape \(E, 2\)"),
        ({"edges": np.array([0, 1])}, r"edges must be integers of shape \(E, 2\)"),
        ({"edges": np.array([[0, 1], [1, 0]])}, "no cycle"),
        ({"edges": np.array([[0, 7]])}, "edge 0-7"),
        ({"edges": np.zeros((0, 2), int)}, r"theta_0 must have shape \(2, 2\), got \(2, 3, 2\)"),
        ({"theta_1": np.array([[1.0, np.inf, 0], [0, 0, 0]])}, r"theta_1\[0, 1\] must be finite"),
        ({"theta_1": np.array([["a"] * 3] * 2)}, "theta_1 must hold float64 numbers, got dtype <U1"),
        ({"theta_1": np.zeros(3)}, r"theta_1 must have shape \(S, \*parents, A\), got \(3,\)"),
    ],
)
def test_bad_policy_arrays_are_named(tmp_path, changes, message):
    path = write(tmp_path / "bad.npz", POLICY, **changes)
    with pytest.raises(PolicyError, match=message) as error:
        load_policy(path)
    assert one_line(error)


def test_a_policy_must_fit_the_game(problem):
    case = problem(1, dag=complete(2), states=2)
    policy = Policy(case.dag, tuple(case.thetas))
    for other, what in (
        (problem(1, dag=complete(3)).game, "3 agents"),
        (problem(1, dag=complete(2), states=3).game, "3 states"),
    ):
        with pytest.raises(PolicyError, match=f"policy must have {what}"):
            check_policy(policy, other)
    uneven = Policy(case.dag, (case.thetas[0], np.concatenate([case.thetas[1]] * 2)))
    with pytest.raises(PolicyError, match="policy must have 2 states as the game, got 4"):
        check_policy(uneven, case.game)
    shape = (2, *(count + 1 for count in case.game.actions))
    wider = dense_game("w", np.full((*shape, 2), 0.5), np.zeros(shape), np.full(2, 0.5), 0.5)
    with pytest.raises(PolicyError, match="action counts"):
        check_policy(policy, wider)


def table_of(*rows):
    return np.array([rows])


FOLLOWING = [table_of(0.25, 0.75), table_of([1, 0, 0], [0, 0.5, 0.5])]


def test_probabilities_survive_the_round_trip_zeros_and_all(tmp_path):
    policy = Policy.from_tables(Dag(2, ((0, 1),)), FOLLOWING)
    save_policy(policy, tmp_path / "p.npz")
    assert set(np.load(tmp_path / "p.npz")) == {"edges", "pi_0", "pi_1"}
    again = load_policy(tmp_path / "p.npz")
    for one, other in zip(again.tables, FOLLOWING, strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.digest == policy.digest
    assert (again.states, again.actions, again.dag) == (1, (2, 3), policy.dag)
    assert not again.is_deterministic


def test_a_file_that_holds_both_is_its_logits(tmp_path):
    path = write(tmp_path / "p.npz", POLICY, pi_0=np.full((2, 3, 2), 0.5), pi_1=np.full((2, 3), 1 / 3))
    assert load_policy(path).probabilities is None
    assert load_policy(path).digest == load_policy(write(tmp_path / "q.npz", POLICY)).digest


def test_logits_and_probabilities_may_be_nested_lists():
    assert Policy(Dag(1), [[[0, 1]]]).thetas[0].dtype == np.float64
    assert Policy.from_tables(Dag(1), [[[0, 1]]]).is_deterministic


def test_a_deterministic_policy_is_made_of_its_choices():
    dag = Dag(2, ((0, 1),))
    policy = Policy.deterministic(dag, [[1, 0], [[0, 2], [1, 1]]], (2, 3))
    assert policy.is_deterministic
    assert policy.tables[0].tolist() == [[0, 1], [1, 0]]
    assert policy.tables[1].argmax(axis=-1).tolist() == [[0, 2], [1, 1]]
    for choices, message in (
        ([[1, 2], [[0, 2], [1, 1]]], r"choice of agent 0\[1\] must be an action in 0\.\.1, got 2"),
        ([[1, 0], [[0, 2], [1, 0.5]]], r"choice of agent 1\[1, 1\] must be an action in 0\.\.2, got 0.5"),
        ([[1, 0], [0, 2]], r"pi_1 must have shape \(2, 2, 3\), got \(2, 3\)"),
        ([[1, 0]], "choices and action counts of 2 agents, got 1 and 2"),
    ):
        with pytest.raises(PolicyError, match=message):
            Policy.deterministic(dag, choices, (2, 3))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pi_0": None}, "lacks pi_0; expected pi_0, pi_1, .. without a gap"),
        ({"edges": None}, "lacks edges; expected edges and theta_0, theta_1, .. or pi_0, pi_1, .."),
        ({"pi_0": None, "pi_1": None}, r"lacks theta_0 \(or pi_0\)"),
        ({"pi_0": table_of(0.25, 0.7)}, r"pi_0\[0\] must sum to 1, got 0.95"),
        ({"pi_0": table_of(1.5, -0.5)}, r"pi_0\[0, 1\] must not be negative, got -0.5"),
        ({"pi_0": table_of(np.nan, 1)}, r"pi_0\[0, 0\] must be finite, got nan"),
        ({"pi_1": table_of([1.0, 0.0])}, r"pi_1 must have shape \(1, 2, 2\), got \(1, 1, 2\)"),
    ],
)
def test_bad_probabilities_are_named(tmp_path, changes, message):
    arrays = {"edges": np.array([[0, 1]]), "pi_0": FOLLOWING[0], "pi_1": FOLLOWING[1]}
    with pytest.raises(PolicyError, match=message) as error:
        load_policy(write(tmp_path / "bad.npz", arrays, **changes))
    assert one_line(error)


def test_probabilities_in_single_precision_are_divided_by_their_sums_and_it_says_so():
    policy = Policy.from_tables(Dag(1), [np.array([[0.1, 0.9]], dtype=np.float32)])
    assert abs(policy.tables[0].sum() - 1) < 1e-15
    assert "of pi_0 sum to 1 only within the precision" in policy.notices[0]


def test_training_starts_from_probabilities_without_a_zero():
    some = Policy.from_tables(Dag(1), [[[0.25, 0.75]]]).as_logits()
    assert some.probabilities is None
    np.testing.assert_allclose(some.tables[0], [[0.25, 0.75]], rtol=1e-15)
    assert some.as_logits() is some
    with pytest.raises(PolicyError, match=r"pi_0\[0, 1\] is 0, whose logit is infinite"):
        Policy.from_tables(Dag(1), [[[1, 0]]]).as_logits()


def test_the_earlier_name_of_the_module_still_leads_to_it():
    from bnpg_math import policy_file

    assert policy_file.Policy is Policy
    assert policy_file.load_policy is load_policy


def test_what_unpacks_to_more_than_there_is_memory_is_refused_before_memory_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "memory", lambda: 1 << 20)
    path = tmp_path / "policy.npz"
    np.savez_compressed(path, **POLICY | {"theta_0": np.zeros(1 << 21)})
    assert path.stat().st_size < 1 << 16
    tracemalloc.start()
    try:
        with pytest.raises(
            PolicyError, match=r"'theta_0' of policy file .* does not fit into memory"
        ) as error:
            load_policy(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert one_line(error)
    assert peak < 1 << 21
