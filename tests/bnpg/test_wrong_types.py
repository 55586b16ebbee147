"""What a program gives of a wrong type is refused in one line that says what was expected."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import bnpg

NESTED: list[Any] = []
for _ in range(100_000):
    NESTED = [NESTED]
ODD = (None, 3, b"x", [], NESTED, object(), 1.5, float("nan"), {1: 2}, np.zeros(3), "\ud800", "a\0b")
CLIMBING = bnpg.game("climbing")


@pytest.fixture(scope="module")
def run() -> bnpg.Run:
    return bnpg.train("climbing", rounds=1)


def refused(call: Callable[[], object], says: str) -> None:
    with pytest.raises(bnpg.InputError, match=re.escape(says)) as error:
        call()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: type(odd).__name__)
def test_no_path(odd: Any, run: bnpg.Run) -> None:
    must = " must have no NUL in it" if isinstance(odd, str) and "\0" in odd else " must be a path"
    refused(lambda: bnpg.load_run(odd), f"the folder of a run{must}")
    refused(lambda: bnpg.resume(odd), f"the folder of a run{must}")
    refused(lambda: bnpg.runs(odd), f"the folder of runs{must}")
    refused(lambda: bnpg.load_policy(odd), f"a policy file{must}")
    refused(lambda: bnpg.save_policy(run.policy, odd), f"a policy file{must}")
    refused(lambda: bnpg.save_game(CLIMBING, odd), f"a game file{must}")
    refused(lambda: run.save(odd), f"the folder of a copy{must}")
    refused(lambda: bnpg.sweep({"seed": [1]}, odd, base={"game": "climbing", "rounds": 1}), f"out{must}")
    if odd is not None:
        refused(lambda: run.report(odd), f"a report{must}")
        refused(lambda: bnpg.train("climbing", rounds=1, out=odd), f"out{must}")
        refused(lambda: bnpg.train("climbing", rounds=1, faults=odd), f"faults{must}")
    if not isinstance(odd, dict):
        refused(lambda: bnpg.sweep(odd, "never"), f"grid{must}")


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: type(odd).__name__)
def test_nothing_that_can_be_written(odd: Any) -> None:
    refused(lambda: bnpg.save_policy(odd, "never.npz"), "expected a Policy to write, got ")
    refused(lambda: bnpg.save_game(odd, "never.npz"), "expected a Game to write, got ")


def test_no_edges() -> None:
    refused(lambda: bnpg.Dag(2, None), "edges must be pairs (parent, child), got None")  # type: ignore[arg-type]
    refused(lambda: bnpg.train("climbing", dag=NESTED, rounds=1), "an edge must be a pair (parent, child)")


def test_edges_of_whatever_can_be_gone_through() -> None:
    class Sequenced:
        def __getitem__(self, number: int) -> tuple[int, int]:
            return ((0, 1), (1, 2))[number]

    for edges in (
        Sequenced(),
        iter([(0, 1), (1, 2)]),
        {(0, 1): "", (1, 2): ""}.keys(),
        np.array([[0, 1], [1, 2]]),
    ):
        assert bnpg.Dag(3, edges).edges == ((0, 1), (1, 2))  # type: ignore[arg-type]


def stay(state: Any, _actions: tuple[int, ...]) -> Any:
    return state, 0.0


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"terminal": 4}, "terminal must consist of hashable states, got 4"),
        ({"terminal": [[0]]}, "terminal must consist of hashable states, got [[0]]"),
        ({"states": 1.5}, "states must consist of hashable states, got 1.5"),
        ({"initial": [0]}, "initial must consist of hashable states, got [[0]]"),
        ({"actions": 2}, "actions must be the number of actions of each agent, such as (2, 2), got 2"),
        ({"actions": ("two",)}, "actions must be the number of actions of each agent, such as (2, 2), got "),
        ({"actions": (float("nan"),)}, "actions must be the number of actions of each agent"),
    ],
)
def test_no_game(given: dict[str, Any], says: str) -> None:
    refused(lambda: bnpg.game_from(stay, **{"actions": (2,), "initial": 0, **given}), says)


def test_states_may_be_counted_by_an_integer_of_numpy_and_a_generator_may_fail() -> None:
    assert bnpg.game_from(stay, actions=(2,), initial=0, states=np.int64(3)).states == 3  # type: ignore[arg-type]

    def failing() -> Any:
        yield 0
        raise TypeError("of the program")

    with pytest.raises(TypeError, match="of the program"):
        bnpg.game_from(stay, actions=(2,), initial=0, states=failing())


@pytest.mark.parametrize("odd", [None, 3, "ab", {1: 2}, np.array("x"), object()])
def test_nothing_that_follows(odd: Any) -> None:
    refused(
        lambda: bnpg.game_from(lambda _state, _actions: odd, actions=(2,), initial=0),
        "state 0, actions (0,): expected (s', r) or outcomes (p, s', r), got ",
    )
