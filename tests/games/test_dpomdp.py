"""`.dpomdp` files become games in which everybody sees the state; a bad one is one line that says where."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bnpg
from bnpg_math.games.readers.dpomdp import OBSERVED, read_dpomdp
from bnpg_math.games.transitions.sparse import SparseTransition

from .conftest import TIGER, said_in_one_line


def test_the_tiger_is_the_tiger(tiger):
    game = read_dpomdp(tiger)
    assert (game.name, game.states, game.actions, game.gamma) == ("tiger", 2, (3, 3), 0.9)
    P = game.transition.to_dense()
    np.testing.assert_array_equal(P[:, 0, 0], np.eye(2))
    assert (P[:, 1:] == 0.5).all()
    assert (game.initial == 0.5).all()
    np.testing.assert_array_equal(game.reward[:, 0, 0], [-2, -2])
    np.testing.assert_array_equal(game.reward[:, 1, 1], [-50, 20])
    np.testing.assert_array_equal(game.reward[:, 2, 2], [20, -50])
    np.testing.assert_array_equal(game.reward[:, 1, 2], [-100, -100])
    assert (game.reward[:, 0, 1:] == 0).all()


def test_that_everybody_sees_the_state_is_said_aloud(tiger):
    with pytest.warns(bnpg.InputWarning, match=OBSERVED):
        bnpg.game(tiger)


def test_costs_are_rewards_below_zero(tiger):
    tiger.write_text(TIGER.replace("values: reward", "values: cost"))
    assert read_dpomdp(tiger).reward[0, 0, 0] == 2.0


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("start: tiger-right", [0, 1]),
        ("start: 1", [0, 1]),
        ("start:\n0.25 0.75", [0.25, 0.75]),
        ("start: 0.25 0.75", [0.25, 0.75]),
        ("start: uniform", [0.5, 0.5]),
        ("start include: tiger-left 1", [0.5, 0.5]),
        ("start exclude: tiger-left", [0, 1]),
    ],
)
def test_every_way_to_say_where_it_begins(tiger, start, expected):
    tiger.write_text(TIGER.replace("start:\nuniform", start))
    assert read_dpomdp(tiger).initial.tolist() == expected


@pytest.mark.parametrize(
    "statement",
    [
        "T: 0 0 : 0 : 1 : 0.25\nT: 0 0 : 0 : 0 : 0.75",
        "T: listen listen : tiger-left :\n0.75 0.25",
        "T: 0 : 0 :\n0.75\n0.25",
        "T: 0 :\n0.75 0.25\n0 1",
        "T: * * :\n0.75 0.25\n0 1\nT: 1 * :\nuniform\nT: 2 * : \nuniform\n"
        "T: 0 1 : * : * : .5\nT: 0 2 : * : * : .5",
    ],
)
def test_every_form_of_a_transition(tiger, statement):
    tiger.write_text(TIGER + statement + "\n")
    P = read_dpomdp(tiger).transition.to_dense()
    np.testing.assert_array_equal(P[:, 0, 0], [[0.75, 0.25], [0, 1]])
    assert (P[:, 1:] == 0.5).all()


@pytest.mark.parametrize(
    "statement",
    [
        "R: 0 0 : 0 : 0 : 0 : 4\nR: 0 0 : 0 : 0 : hear-right hear-right : 4",
        "R: listen listen : tiger-left : tiger-left :\n4 -2 -2 4",
        "R: 0 : 0 :\n4 -2 -2 4\n7 7 7 7",
    ],
)
def test_rewards_of_what_follows_and_is_observed_are_averaged(tiger, statement):
    tiger.write_text(TIGER + statement + "\n")
    seen = 0.7225 + 0.0225
    assert read_dpomdp(tiger).reward[0, 0, 0] == pytest.approx(4 * seen - 2 * (1 - seen), rel=1e-14)
    assert read_dpomdp(tiger).reward[1, 0, 0] == -2


def test_rewards_of_the_next_state_are_averaged(tiger):
    tiger.write_text(TIGER + "R: 1 1 : 0 : 1 : * : 10\n")
    assert read_dpomdp(tiger).reward[0, 1, 1] == (10 - 50) / 2


def test_a_large_file_with_few_transitions_becomes_a_sparse_game(here):
    text = TIGER.replace("states: tiger-left tiger-right", "states: 100").replace("tiger-left", "0")
    text = text.replace("tiger-right", "1").replace("T: * :\nuniform", "T: * :\nidentity")
    text = text.replace("O: * :\nuniform\n", "")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("O") and line[0] != "0")
    (here / "wide.dpomdp").write_text(text)
    assert isinstance(read_dpomdp(here / "wide.dpomdp").transition, SparseTransition)


def test_a_discount_of_1_asks_for_another(tiger, refused, here):
    tiger.write_text(TIGER.replace("discount: 0.9", "discount: 1.0"))
    line = refused("convert", tiger, "out.npz")
    assert "discount is 1, expected one in [0, 1)" in line
    assert "--gamma" in line
    assert read_dpomdp(tiger, 0.5).gamma == 0.5


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("agents: 2", "agents: two", 2, "expected an integer in 1..62, got 'two'"),
        ("agents: 2", "agents: 99", 2, "expected an integer in 1..62, got '99'"),
        ("agents: 2\n", "", 2, "expected agents: .., got 'discount: 0.9'"),
        ("discount: 0.9", "discount: high", 3, "expected a finite number, got 'high'"),
        ("values: reward", "values: joy", 4, "expected values: reward, or values: cost, got 'joy'"),
        ("states: tiger-left tiger-right", "states: a a", 5, "expected names that differ, got 'a a'"),
        ("states: tiger-left tiger-right", "states: 999999999", 5, "expected an integer in 1.."),
        (
            "start:\nuniform",
            "start: nowhere",
            6,
            "expected a state: a name or an index in 0..1, got 'nowhere'",
        ),
        ("start:\nuniform", "start include:", 6, "expected at least one state, got nothing"),
        ("T: * :\nuniform", "T: * :\n1 2 3", 15, "expected 4 numbers of the T in line 14, got '3'"),
        (
            "T: * :\nuniform",
            "T: 9 :\nuniform",
            14,
            "expected a joint action: an index in 0..8, got '9'",
        ),
        ("T: * :\nuniform", "T: a b c :\nuniform", 14, "expected the action of each of 2 agents"),
        (
            "T: * :\nuniform",
            "T: shout listen :\nuniform",
            14,
            "expected an action: a name or an index in 0..2",
        ),
        ("T: * :\nuniform", "T: * :\nidentity x", 15, "expected 4 numbers"),
        ("T: * :\nuniform", "Q: * :\nuniform", 14, "expected T: .., O: .. or R: .., got 'Q: * :'"),
        (": -2\n", ": much\n", 26, "expected a finite number, got 'much'"),
        (": -2\n", ": nan\n", 26, "expected a finite number, got 'nan'"),
    ],
)
def test_a_bad_line_is_named_with_what_was_expected(tiger, refused, old, new, line, message):
    assert old in TIGER
    tiger.write_text(TIGER.replace(old, new, 1))
    said = refused("train", tiger)
    assert f"tiger.dpomdp:{line}: {message}" in said


def test_rows_that_do_not_sum_to_1_and_a_file_that_ends_are_refused(tiger, refused):
    tiger.write_text(TIGER + "T: 0 0 : 0 : 1 : 0.5\n")
    assert "T[0, 0, 0] must sum to 1, got 1.5" in refused("train", tiger)
    tiger.write_text(TIGER[: TIGER.index("actions:") + 9])
    assert "expected the actions of agent 0 to follow, got 'the end of the file'" in refused("train", tiger)
    tiger.write_bytes(b"\xff\xfe\x00")
    assert "tiger.dpomdp:1: expected UTF-8 text" in refused("train", tiger)
    tiger.write_text("")
    assert "got 'the end of the file'" in refused("train", tiger)


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_a_file_holds_it_is_a_game_or_one_line(tmp_path_factory, data):
    lines = TIGER.splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(lines) - 1))
        lines[number] = data.draw(
            st.one_of(
                st.sampled_from(lines),
                st.text(alphabet="TOR:*agents0123 .uniform-\t", max_size=30),
                st.just(lines[number][: len(lines[number]) // 2]),
            )
        )
    path = tmp_path_factory.mktemp("files") / "any.dpomdp"
    path.write_text("\n".join(lines))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert said_in_one_line(read_dpomdp, path)
