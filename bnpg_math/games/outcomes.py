"""Games given as what can follow: by a function of state and actions, or as a table of outcomes.

An outcome is (p, s', r) or (p, s', r, done). Outcomes of one state and joint action may repeat a next state;
r(s, a) is the mean of their rewards. Where an episode is over (`done`) the state does not change any more and
pays nothing.
"""

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, product
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np

from bnpg_files.quoting import quoted
from bnpg_math.errors import GameError
from bnpg_math.games.game import Game
from bnpg_math.games.probabilities import distributions
from bnpg_math.games.sparse_game import sparse_game

MOST_PAIRS = 1 << 24
"""Most states times joint actions that are asked for their outcomes."""
MOST_OUTCOMES = 1 << 16
"""Most outcomes of one state and joint action: a generator need not end by itself."""

Step = Callable[[Any, tuple[int, ...]], Any]


class _Row(NamedTuple):
    """Outcomes of one state and joint action: where to, how likely, what it pays, whether it is the end."""

    to: list[Any]
    weights: list[float]
    rewards: list[float]
    ends: list[bool]


def game_from_step(
    step: Step,
    actions: Sequence[int],
    initial: Any,
    gamma: float,
    states: int | Iterable[Hashable] | None = None,
    terminal: Callable[[Any], bool] | Iterable[Hashable] = (),
    name: str = "game",
) -> Game:
    """Make a game of a function that says what follows.

    Parameters
    ----------
    step : callable (state, actions) -> outcome or outcomes
        `actions` is a tuple of N integers. A tuple ``(s', r)`` or ``(s', r, done)`` is what follows for sure;
        a list or generator gives every outcome ``(p, s', r)`` or ``(p, s', r, done)``. It must be a function:
        the same arguments, the same outcomes.
    actions : sequence of N int
        (A_1, .., A_N).
    initial : state, {state: probability}, or (S,) float
        Where play begins; an array only if `states` is given.
    gamma : float
        Discount, in [0, 1).
    states : int or iterable of hashable, optional
        Their number, or what they are called; if missing, all that can be reached, in the order they are met.
    terminal : callable (state) -> bool, or iterable of states
        Where an episode is over: absorbing, and pays nothing. The function is not asked there.
    name : str
        For people.

    Returns
    -------
    Game
        Sparse; state s has the number of its place in `states`.

    Raises
    ------
    GameError
        One line: which state and actions, what was expected, what came.
    """
    counts = _counts(actions)
    if not counts or min(counts) < 1:
        raise GameError(f"actions must be the number of actions of each agent, all at least 1, got {counts}")
    over = terminal if callable(terminal) else set(_listed(terminal, "terminal")).__contains__
    if math.prod(counts) > MOST_PAIRS:
        raise GameError(
            f"{len(counts)} agents have {float(math.prod(counts)):.3g} joint actions, expected at most "
            f"{MOST_PAIRS}; more agents are sampled in a bnpg.FactoredWorld"
        )
    given = range(int(states)) if isinstance(states, Integral) else states
    known = None if given is None else _listed(given, "states")
    begins = _starts(initial, known)
    numbers = {state: number for number, state in enumerate(begins if known is None else known)}
    if known is not None and len(numbers) != len(known):
        raise GameError(
            f"states must differ from each other, got {len(known)} of which {len(numbers)} differ"
        )
    joint = list(product(*map(range, counts)))
    rows: list[_Row] = []
    waiting = list(numbers)
    for place, state in enumerate(waiting):
        if len(waiting) * len(joint) > MOST_PAIRS:
            raise GameError(
                f"states times joint actions must be at most {MOST_PAIRS}, got {len(waiting)} x "
                f"{len(joint)}: is the number of states finite?"
            )
        if over(state):
            rows += [_Row([place], [1.0], [0.0], [False])] * len(joint)
            continue
        for chosen in joint:
            where = f"state {quoted(state)}, actions {chosen}"
            row = _outcomes(step(state, chosen), where)
            for following in row.to:
                if _number(following, numbers, where) is None:
                    if known is not None:
                        raise GameError(f"{where}: next state {quoted(following)} is none of the states")
                    numbers[following] = len(waiting)
                    waiting.append(following)
            rows.append(row._replace(to=[numbers[following] for following in row.to]))
    mu = np.zeros(len(waiting))
    for state, share in begins.items():
        mu[numbers[state]] = share
    return _assembled(name, counts, rows, mu, gamma)


def game_from_table(
    table: Mapping[Any, Any] | Sequence[Any],
    actions: Sequence[int] | None,
    initial: Any,
    gamma: float,
    name: str = "game",
) -> Game:
    """Make a game of a table of outcomes, in the layout of ``env.P`` of Gymnasium's toy-text environments.

    Parameters
    ----------
    table : mapping or sequence
        ``table[state][action]`` is a list of ``(p, s', r, done)``; states and actions are 0, 1, ..
    actions : sequence of N int, optional
        (A_1, .., A_N), whose product is the number of actions of the table: its action is the flat position
        of (a_1, .., a_N) in C order. One agent if missing.
    initial : int, {state: probability}, or (S,) float
        Where play begins.
    gamma : float
        Discount, in [0, 1).
    name : str
        For people.

    Returns
    -------
    Game

    Raises
    ------
    GameError
        One line: where in the table, what was expected, what came.
    """
    rows = _entries(table, "P")
    listed = [_entries(row, f"P[{state}]") for state, row in enumerate(rows)]
    widths = sorted({len(row) for row in listed})
    if len(widths) != 1:
        raise GameError(f"P must have the same actions in every state, got {widths} of them")
    counts = (widths[0],) if actions is None else _counts(actions)
    if math.prod(counts) != widths[0] or min(counts, default=0) < 1:
        raise GameError(
            f"actions {counts} must have a product of {widths[0]}, the number of actions in P, "
            f"got {math.prod(counts)}"
        )
    states = {state: state for state in range(len(listed))}
    found = []
    for state, row in enumerate(listed):
        for action, outcomes in enumerate(row):
            where = f"P[{state}][{action}]"
            if isinstance(outcomes, tuple):
                raise GameError(f"{where} must be a list of (p, s', r, done), got {quoted(outcomes)}")
            outcome = _outcomes(outcomes, where)
            for following in outcome.to:
                if _number(following, states, where) is None:
                    raise GameError(
                        f"{where}: next state must be in 0..{len(listed) - 1}, got {quoted(following)}"
                    )
            found.append(outcome._replace(to=[int(following) for following in outcome.to]))
    mu = np.zeros(len(listed))
    for start, share in _starts(initial, list(states)).items():
        mu[start] = share
    return _assembled(name, counts, found, mu, gamma)


def _counts(actions: Any) -> tuple[int, ...]:
    try:
        return tuple(int(count) for count in actions)
    except (TypeError, ValueError, OverflowError):
        raise GameError(
            f"actions must be the number of actions of each agent, such as (2, 2), got {quoted(actions)}"
        ) from None


def _listed(states: Any, what: str) -> list[Any]:
    """Return states that somebody lists, if they can be told from each other."""
    other = f"{what} must consist of hashable states, got {quoted(states)}"
    try:
        given = iter(states)
    except TypeError:
        raise GameError(other) from None
    listed = list(given)
    try:
        set(listed)
    except TypeError:
        raise GameError(other) from None
    return listed


def _entries(given: Any, where: str) -> list[Any]:
    """The entries 0, 1, .. of a mapping or a sequence."""
    if isinstance(given, Mapping):
        missing = [number for number in range(len(given)) if number not in given]
        if missing:
            raise GameError(f"{where} must have the keys 0..{len(given) - 1}, got none for {missing[0]}")
        entries = [given[number] for number in range(len(given))]
    elif isinstance(given, Sequence) and not isinstance(given, str):
        entries = list(given)
    else:
        raise GameError(f"{where} must be a mapping or a list, got {type(given).__name__}")
    if not entries:
        raise GameError(f"{where} must not be empty")
    return entries


def _outcomes(given: Any, where: str) -> _Row:
    """Take apart what follows one state and joint action."""
    row = _Row([], [], [], [])
    if isinstance(given, tuple):
        if len(given) not in (2, 3):
            raise GameError(f"{where}: expected (s', r) or (s', r, done), got {len(given)} entries")
        _append(row, (1.0, *given), where)
        return row
    other = f"{where}: expected (s', r) or outcomes (p, s', r), got {type(given).__name__}"
    if isinstance(given, str | Mapping):
        raise GameError(other)
    try:
        outcomes: Iterator[Any] = iter(given)
    except TypeError:
        raise GameError(other) from None
    for outcome in islice(outcomes, MOST_OUTCOMES):
        if not isinstance(outcome, Sequence) or isinstance(outcome, str) or len(outcome) not in (3, 4):
            raise GameError(
                f"{where}: expected an outcome (p, s', r) or (p, s', r, done), got {quoted(outcome)}"
            )
        _append(row, tuple(outcome), where)
    if next(outcomes, None) is not None:
        raise GameError(f"{where}: expected at most {MOST_OUTCOMES} outcomes")
    if not any(row.weights):
        raise GameError(f"{where}: expected outcomes whose probabilities sum to 1, got none")
    return row


def _append(row: _Row, outcome: tuple[Any, ...], where: str) -> None:
    probability, following, reward, *done = outcome
    for what, number in (("probability", probability), ("reward", reward)):
        if not isinstance(number, Real) or isinstance(number, bool) or not math.isfinite(number):
            raise GameError(f"{where}: {what} must be a finite number, got {quoted(number)}")
    if probability < 0:
        raise GameError(f"{where}: probability must not be negative, got {float(probability):g}")
    if not probability:
        return
    row.to.append(following)
    row.weights.append(float(probability))
    row.rewards.append(float(reward))
    row.ends.append(bool(done and done[0]))


def _number(state: Any, numbers: Mapping[Any, int], where: str) -> int | None:
    try:
        return numbers.get(state)
    except TypeError:
        raise GameError(f"{where}: a state must be hashable, got {type(state).__name__}") from None


def _starts(initial: Any, states: list[Any] | None) -> dict[Any, float]:
    """States where play may begin, and how likely each is."""
    if initial is None:
        raise GameError("initial must say where play begins: a state, {state: probability}, or an array")
    if isinstance(initial, Mapping):
        begins = dict(initial)
    elif isinstance(initial, np.ndarray | list) and states is not None:
        if np.shape(initial) != (len(states),):
            raise GameError(f"initial must have shape ({len(states)},), got {np.shape(initial)}")
        begins = {state: share for state, share in zip(states, initial, strict=True) if share}
    else:
        begins = dict.fromkeys(_listed([initial], "initial"), 1.0)
    known = None if states is None else set(states)
    for state, share in begins.items():
        if known is not None and state not in known:
            raise GameError(f"initial state {quoted(state)} is none of the states")
        if not isinstance(share, Real) or not float(share) >= 0.0:
            raise GameError(
                f"initial probability of {quoted(state)} must be a number >= 0, got {quoted(share)}"
            )
    if not begins:
        raise GameError("initial must not be empty")
    return begins


def _assembled(name: str, actions: tuple[int, ...], rows: list[_Row], mu: Any, gamma: float) -> Game:
    """Bring the rows, in C order of (s, a), into arrays; make ends absorbing."""
    states, joint = len(mu), math.prod(actions)
    last, extra = _ends(rows, mu, joint)
    for state in last:
        own = slice(state * joint, (state + 1) * joint)
        # What stays by itself is told in probabilities too, and they have to sum to 1 as everywhere.
        sums = [math.fsum(row.weights) if _stays(row, state) else 1.0 for row in rows[own]]
        rows[own] = [_Row([state], [whole], [0.0], [True]) for whole in sums]
    if extra:
        rows = [*rows, *[_Row([states], [1.0], [0.0], [True])] * joint]
        mu = np.append(mu, 0.0)
    width = max(len(row.to) for row in rows)
    to, weights, rewards = (np.zeros((len(rows), width), kind) for kind in (np.int64, float, float))
    for number, row in enumerate(rows):
        count = len(row.to)
        ends = zip(row.to, row.ends, strict=True)
        to[number, :count] = [states if done and state not in last else state for state, done in ends]
        weights[number, :count] = row.weights
        rewards[number, :count] = row.rewards
    shape = (len(mu), *actions)
    divided, notice = distributions(weights.reshape(*shape, width), "probabilities", GameError)
    reward = np.vecdot(divided, rewards.reshape(*shape, width))
    game = sparse_game(name, to.reshape(*shape, width), divided, reward, mu, gamma)
    notices = [notice] if notice else []
    if extra:
        notices.append(
            f"state {states} was added: episodes end on the way to states that can also be passed through"
        )
    return Game(name, game.transition, game.reward, game.initial, game.gamma, tuple(notices))


def _ends(rows: list[_Row], mu: Any, joint: int) -> tuple[set[int], bool]:
    """States where episodes are over, and whether some end on the way to states that are none."""
    by_state = [rows[start : start + joint] for start in range(0, len(rows), joint)]
    still = {state for state, own in enumerate(by_state) if all(_stays(row, state) for row in own)}
    ended = {state for row in rows for state, done in zip(row.to, row.ends, strict=True) if done}
    begins = {int(state) for state in np.flatnonzero(mu)}
    last = set(still)
    while True:
        # What would follow a state where every episode is over does not count.
        passed = begins | {
            state
            for number, own in enumerate(by_state)
            if number not in last
            for row in own
            for state, done in zip(row.to, row.ends, strict=True)
            if not done
        }
        found = still | (ended - passed)
        if found == last:
            return last, bool(ended - last)
        last = found


def _stays(row: _Row, state: int) -> bool:
    return set(row.to) == {state} and not any(row.rewards)
