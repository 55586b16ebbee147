"""Game and policy files: what is written is read back, and every bad file gives one clear line."""

import numpy as np
import pytest

from bnpg_math.dag import Dag, complete, empty
from bnpg_math.errors import GameError, InputError, PolicyError
from bnpg_math.games.file import load_game, save_game
from bnpg_math.games.game import dense_game
from bnpg_math.games.registry import game as built_in
from bnpg_math.policies.file import Policy, check_policy, load_policy, policy_digest, save_policy

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


def complaint(path):
    try:
        load_game(path)
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
        ({"theta_1": np.array([["a"] * 3] * 2)}, "theta_1 must hold real numbers"),
        ({"theta_1": np.zeros(3)}, r"theta_1 must have shape \(S, \*parents, A\), got \(3,\)"),
        ({"theta_1": np.zeros((3, 3))}, r"theta_1 must have shape \(2, 3\), got \(3, 3\)"),
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
    shape = (2, *(count + 1 for count in case.game.actions))
    wider = dense_game("w", np.full((*shape, 2), 0.5), np.zeros(shape), np.full(2, 0.5), 0.5)
    with pytest.raises(PolicyError, match="action counts"):
        check_policy(policy, wider)
