"""`.nfg` files of teams become games of one state; others are refused with one line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnpg_math.games.readers.gambit import read_nfg

from .conftest import COORDINATE, said_in_one_line


def written(here, text, name="meet.nfg"):
    (here / name).write_text(text)
    return here / name


def test_outcomes_are_listed_with_the_first_players_strategy_fastest(here):
    game = read_nfg(written(here, COORDINATE))
    np.testing.assert_array_equal(game.reward, [[[3, 0], [0.5, 0.5], [0, 3]]])
    assert (game.states, game.actions, game.gamma) == (1, (3, 2), 0.0)


def test_payoffs_are_too(here):
    text = 'NFG 1 D "three" { "a" "b" "c" } { 2 3 2 }\n' + " ".join(f"{n},{n},{n}" for n in range(12))
    game = read_nfg(written(here, text), gamma=0.5)
    np.testing.assert_array_equal(game.reward[0], np.arange(12.0).reshape(2, 3, 2, order="F"))
    assert game.gamma == 0.5


@given(
    counts=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=40, deadline=None)
def test_what_is_written_is_read(tmp_path_factory, counts, seed):
    payoff = np.random.default_rng(seed).normal(size=counts)
    players = " ".join(f'"p{n}"' for n in range(len(counts)))
    body = "\n".join(" ".join([repr(float(x))] * len(counts)) for x in payoff.reshape(-1, order="F"))
    text = f'NFG 1 R "" {{ {players} }} {{ {" ".join(map(str, counts))} }}\n\n{body}\n'
    path = written(tmp_path_factory.mktemp("nfg"), text)
    np.testing.assert_array_equal(read_nfg(path).reward[0], payoff)


def test_players_who_get_different_payoffs_are_no_team(here, refused):
    path = written(here, COORDINATE.replace("1/2 1/2", "1/2 2"))
    line = refused("train", path)
    assert (
        "expected a common payoff, as a team has, but for strategies 2 1 'row' gets 0.5 and 'column' 2"
        in line
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("NFG 1 R", "EFG 2 R", 1, "expected NFG 1 R or NFG 1 D, got 'EFG'"),
        ("NFG 1 R", "NFG 1 X", 1, "expected R or D, got 'X'"),
        ('{ "row" "column" }', "{ }", 2, "expected 1 to 62 players, got '}'"),
        (
            '{ "row" "column" }',
            '{ "row" column }',
            2,
            "expected the name of a player in quotes, or }, got 'column'",
        ),
        ('{ "left" "right" }', "", 3, "expected strategies of 2 players, at least one each, got those of 1"),
        ('{ "left" "right" }', "0", 3, "expected strategies of 2 players, at least one each"),
        ('"late"', "late", 7, "expected the name of an outcome in quotes, got 'late'"),
        ("1/2 1/2", "1/0 1/2", 7, "expected a payoff, got '1/0'"),
        ("1/2 1/2", "much 1/2", 7, "expected a payoff, such as 2, -1.5 or 1/3, got 'much'"),
        ("0 2 1\n", "0 2\n", 10, "expected the number of an outcome, got 'the end of the file'"),
        ("0 2 1\n", "0 2 9\n", 10, "expected the number of an outcome, 0..2, got '9'"),
        ("0 2 1\n", "0 2 1 1\n", 10, "expected the end of the file, got '1'"),
        ('"row"', '"row', 2, "expected"),
    ],
)
def test_a_bad_line_is_named_with_what_was_expected(here, refused, old, new, line, message):
    assert old in COORDINATE
    said = refused("train", written(here, COORDINATE.replace(old, new, 1)))
    assert f"meet.nfg:{line}: {message}" in said


@pytest.mark.parametrize("payoffs", ["3e999 3", "3 -3e999", "3e999 3e999"])
def test_a_payoff_beyond_all_floats_is_refused_alike_or_not(here, refused, payoffs):
    said = refused("train", written(here, f'NFG 1 R "" {{ "row" "column" }} {{ 1 1 }}\n{payoffs}\n'))
    assert "meet.nfg: expected payoffs that fit a float64" in said


def test_a_file_that_promises_too_much_is_refused_at_once(here, refused):
    text = 'NFG 1 R "" { "a" "b" } { 99999999 99999999 }\n1'
    assert "expected at most 16777216 payoffs" in refused("train", written(here, text))


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_a_file_holds_it_is_a_game_or_one_line(tmp_path_factory, data):
    text = COORDINATE
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text) - 1))
        end = data.draw(st.integers(start, min(len(text), start + 8)))
        text = text[:start] + data.draw(st.text(alphabet='{}" \\,0129/eR\n', max_size=6)) + text[end:]
    path = written(tmp_path_factory.mktemp("nfg"), text)
    assert said_in_one_line(read_nfg, path)
