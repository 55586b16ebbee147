"""Check the certificate of a run of bnpg in exact arithmetic: ``python exact_check.py RUN [--json]``.

It needs Python 3.11 and nothing else, not even bnpg. The exit code is 0 if every entry of ``proved`` holds, 5
if one does not, 2 if the folder cannot be read.

From *any* vectors v, u_i, w over the states that the start can reach,

    V^pi >= v - max(v - T_pi v)^+ / (1 - gamma),
    BR_i <= u_i + max(T_i u_i - u_i)^+ / (1 - gamma),     V* <= w + max(T w - w)^+ / (1 - gamma),

with the backups T of the policy, of agent i's best response to the others, and of the best joint action: so
differences at the start bound the Nash gap and the optimality gap. Who found the vectors does not matter.

The game is that of the file: its numbers are binary fractions, and a row of weights w stands for w / sum w.
All numbers are rational: integers over a power of two, where every rounding goes the safe way. What the
enclosure of the softmax of the logits leaves open is added to the bound. Rewards are reduced by the smallest,
which changes no gap.
"""

import ast
import hashlib
import io
import json
import math
import os
import re
import stat
import struct
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from functools import partial
from itertools import pairwise, product
from operator import itemgetter, mul
from pathlib import Path
from typing import Any

DIGITS = 120
"""Binary digits that are kept beyond those that 1 / (1 - gamma)^2 takes."""
LARGEST_FILE = 1 << 30
"""Bytes that a file, and what it unpacks to, may have."""

Row = tuple[tuple[float, ...], tuple[int, ...]]
"""Positive weights, and the states that they lead to."""

Backup = Callable[[Sequence[int], bool], list[int]]
"""A backup of a vector, rounded up or down as a whole."""


class CheckError(Exception):
    """A file that cannot be used; one line that says which and why."""


@contextmanager
def named_in(place: object) -> Iterator[None]:
    """Say of what is wrong with the content of a place that it is there, unless that says so already."""
    try:
        yield
    except CheckError as error:
        raise error if str(place) in str(error) else CheckError(f"{place}: {error}") from None


# --------------------------------------------------------------------------------- arrays in files


@dataclass(frozen=True)
class Array:
    """A table as its shape and its numbers in C order."""

    shape: tuple[int, ...]
    numbers: Sequence[Any]


_LETTERS = {
    "f8": "d", "f4": "f", "f2": "e", "i1": "b", "i2": "h", "i4": "i", "i8": "q",
    "u1": "B", "u2": "H", "u4": "I", "u8": "Q",
}  # fmt: skip


def read_npy(data: bytes, where: str) -> Array:
    """Read an array in numpy's format; of an array of records, the field `theta`."""
    file = io.BytesIO(data)
    if file.read(6) != b"\x93NUMPY":
        raise CheckError(f"{where} is not in .npy format")
    try:
        version = file.read(2)[0]
        length = struct.unpack("<H", file.read(2)) if version == 1 else struct.unpack("<I", file.read(4))
        header = ast.literal_eval(file.read(length[0]).decode("latin-1"))
        kind, shape = header["descr"], tuple(header["shape"])
        fields = [("theta", kind, ())] if isinstance(kind, str) else [(*field, ())[:3] for field in kind]
        order = ">" if any(letters.startswith(">") for _, letters, _ in fields) else "<"
        counts = [math.prod(inner) for _, _, inner in fields]
        letters = [_LETTERS[letters[1:]] for _, letters, _ in fields]
        record = struct.Struct(
            order + "".join(f"{n}{letter}" for n, letter in zip(counts, letters, strict=True))
        )
        chosen = [name for name, _, _ in fields].index("theta")
        part = slice(sum(counts[:chosen]), sum(counts[: chosen + 1]))
        # Unpacking a part fails by itself; what is behind the array is not looked at.
        body = data[file.tell() :][: math.prod(shape) * record.size]
        numbers: Sequence[Any] = [number for entry in record.iter_unpack(body) for number in entry[part]]
        if header["fortran_order"] and len(shape) > 1:
            strides = [math.prod(shape[:axis]) for axis in range(len(shape))]
            places = product(*(range(0, n * step, step) for n, step in zip(shape, strides, strict=True)))
            numbers = [numbers[sum(place)] for place in places]
        shape = (*shape, *fields[chosen][2])
    except Exception as error:  # whatever stands in a header, or is missing of it
        raise CheckError(f"{where} is no array of real numbers: {' '.join(str(error).split())}") from None
    if len(numbers) != math.prod(shape):
        raise CheckError(f"{where} is cut off")
    return Array(shape, numbers)


def read_npz(path: Path) -> dict[str, Array]:
    """Read every array of an archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(read_file(path))) as archive:
            held = [member for member in archive.infolist() if member.filename.endswith(".npy")]
            small = sum(member.file_size for member in held) <= LARGEST_FILE
            members = {member.filename: archive.read(member) for member in held if small}
    except CheckError:
        raise
    except Exception as error:  # a flipped byte reaches zipfile and zlib, and each raises in its own ways
        raise CheckError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if not small:
        raise CheckError(f"{path}: expected arrays of at most {LARGEST_FILE} bytes")
    return {name[:-4]: read_npy(data, f"{name[:-4]} in {path}") for name, data in members.items()}


# --------------------------------------------------------------------------------- the game


@dataclass(frozen=True)
class Game:
    """A game as it is written down.

    Parameters
    ----------
    actions : tuple of int
        (A_1, .., A_N).
    rows : list of Row
        The distinct rows of P.
    row_of : list of int
        Which row belongs to each (s, a), in C order.
    reward, initial : list of float
        r over (s, a) in C order, and mu.
    gamma : float
    """

    actions: tuple[int, ...]
    rows: list[Row]
    row_of: Sequence[int]
    reward: Sequence[float]
    initial: Sequence[float]
    gamma: float

    def __post_init__(self) -> None:
        states, joint = len(self.initial), math.prod(self.actions)
        weights = [*(weights for weights, _ in self.rows), self.initial]
        good = len(self.row_of) == len(self.reward) == states * joint > 0 and 0 <= self.gamma < 1
        good = good and all(math.isfinite(number) for number in self.reward)
        good = good and all(min(row, default=-1) >= 0 and 0 < sum(row) < math.inf for row in weights)
        if not good:
            raise CheckError("the game is none: shapes, probabilities, rewards or gamma are out of range")

    @property
    def digest(self) -> str:
        """SHA-256 over everything, as hexadecimal floats in text."""
        text = hashlib.sha256(repr((self.actions, self.gamma.hex())).encode())
        for number in (*self.reward, *self.initial):
            text.update(number.hex().encode())
        names = [repr(([w.hex() for w in weights], to)).encode() for weights, to in self.rows]
        for row in self.row_of:
            text.update(names[row])
        return text.hexdigest()


def game_from_arrays(arrays: dict[str, Array], where: str) -> Game:
    """Read a game: the whole tensor, successors with probabilities, or distinct rows with an index."""
    try:
        reward, initial = arrays["reward"], arrays["initial"]
        states, *actions = reward.shape
        cells = math.prod(reward.shape)
        if "row_of" in arrays:
            starts = [int(start) for start in arrays["row_starts"].numbers]
            weights, to = arrays["row_weights"].numbers, arrays["row_states"].numbers
            parts = [slice(*ends) for ends in pairwise(starts)]
            table = [(tuple(map(float, weights[part])), tuple(map(int, to[part]))) for part in parts]
            rows, row_of = table, [int(row) for row in arrays["row_of"].numbers]
        elif "successors" in arrays:
            width = arrays["successors"].shape[-1]
            to = arrays["successors"].numbers
            leads = [tuple(map(int, to[k * width : (k + 1) * width])) for k in range(cells)]
            rows, row_of = distinct_rows(arrays["probabilities"].numbers, leads, width)
        else:
            if arrays["transition"].shape != (*reward.shape, states):
                raise CheckError(f"{where}: transition and reward do not fit each other")
            rows, row_of = distinct_rows(arrays["transition"].numbers, [tuple(range(states))] * cells, states)
        gamma = float(arrays["gamma"].numbers[0])
        numbers = [float(number) for number in reward.numbers]
        start = [float(number) for number in initial.numbers]
        if len(start) != states or any(not 0 <= state < states for row in rows for state in row[1]):
            raise CheckError(f"{where}: states do not fit each other")
        with named_in(where):
            return Game(tuple(actions), rows, row_of, numbers, start, gamma)
    except (KeyError, IndexError, ValueError, OverflowError) as error:
        raise CheckError(f"{where} does not hold a game: {error!r}") from None


def distinct_rows(
    table: Sequence[Any], leads: Sequence[tuple[int, ...]], width: int
) -> tuple[list[Row], list[int]]:
    """Return the rows that differ, without zeros, and which of them each given row is.

    A successor that is listed twice stays twice: a sum in floats would be another number.
    """
    places: dict[tuple[tuple[Any, ...], tuple[int, ...]], int] = {}
    index = []
    for number, to in enumerate(leads):
        row = (tuple(table[number * width : (number + 1) * width]), to)
        index.append(places.setdefault(row, len(places)))
    rows = []
    for weights, to in places:
        pairs = sorted((state, float(weight)) for weight, state in zip(weights, to, strict=True) if weight)
        rows.append((tuple(weight for _, weight in pairs), tuple(state for state, _ in pairs)))
    return rows, index


def whole_numbers(weights: Iterable[float]) -> list[int]:
    """Return weights as integers, multiplied by one common power of two."""
    ratios = [weight.as_integer_ratio() for weight in weights]
    common = max(below for _, below in ratios)
    return [above * (common // below) for above, below in ratios]


# --------------------------------------------------------------------------------- the policy


@dataclass(frozen=True)
class Policy:
    """Logits over a DAG: theta_i with shape (S, parents in ascending order, A_i), flat.

    Of a direct policy they are probabilities: a row w stands for w / sum w.
    """

    parents: tuple[tuple[int, ...], ...]
    thetas: tuple[Sequence[float], ...]
    direct: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 over theta_0, theta_1, .. as little-endian float64."""
        text = hashlib.sha256()
        for theta in self.thetas:
            text.update(struct.pack(f"<{len(theta)}d", *theta))
        return text.hexdigest()

    @property
    def order(self) -> list[int]:
        """Agents so that parents come before their children."""
        done: list[int] = []
        while len(done) < len(self.parents):
            free = [
                agent
                for agent, above in enumerate(self.parents)
                if agent not in done and set(above) <= set(done)
            ]
            if not free:
                raise CheckError("the edges of the policy form a cycle")
            done.append(free[0])
        return done

    def ancestors(self, agent: int) -> set[int]:
        """Everybody above an agent."""
        return set(self.parents[agent]).union(*(self.ancestors(above) for above in self.parents[agent]))


def parents_of(agents: int, edges: Iterable[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """Return everybody's parents, ascending."""
    pairs = [(int(parent), int(child)) for parent, child in edges]
    return tuple(tuple(sorted(p for p, child in pairs if child == agent)) for agent in range(agents))


def shares(theta: Sequence[float], width: int, bits: int) -> list[list[int]]:
    """Enclose rows of a direct policy: integers that sum to 2^bits, at most 2 width / 2^bits off in sum."""
    rows = []
    for start in range(0, len(theta), width):
        weights = whole_numbers(theta[start : start + width])
        row = [(weight << bits) // sum(weights) for weight in weights]
        row[row.index(max(row))] += (1 << bits) - sum(row)
        rows.append(row)
    return rows


def softmax(theta: Sequence[float], width: int, bits: int) -> list[list[int]]:
    """Enclose the softmax of every row: integers that sum to 2^bits, at most 5 width / 2^bits off in sum.

    Every exponential is correctly rounded by `decimal` and cut to `bits` binary digits; the largest is 1, so
    dividing by the sum at most doubles what is lost, and the last rounding is given to the largest entry.
    """
    context = Context(prec=bits * 3 // 10 + 30)
    cut = Fraction(-bits)
    known: dict[Fraction, int] = {Fraction(0): 1 << bits}
    rows = []
    for start in range(0, len(theta), width):
        logits = [Fraction(logit) for logit in theta[start : start + width]]
        largest = max(logits)
        weights = []
        for logit in logits:
            lower = logit - largest
            if lower not in known:
                exact = context.divide(Decimal(lower.numerator), Decimal(lower.denominator))
                scaled = context.multiply(context.exp(exact), Decimal(1 << bits)) if lower > cut else 0
                known[lower] = int(scaled)
            weights.append(known[lower])
        total = sum(weights)
        row = [(weight << bits) // total for weight in weights]
        row[weights.index(max(weights))] += (1 << bits) - sum(row)
        rows.append(row)
    return rows


# --------------------------------------------------------------------------------- backups


@dataclass(frozen=True)
class _Sum:
    """How an agent is summed out of a table over the joint actions of those who are left."""

    agent: int
    stride: int
    span: int
    places: list[tuple[int, int]]
    """For each cell that remains: where its numbers start, and which row of the agent's table weighs them."""


@dataclass(frozen=True)
class _Response:
    """How agent i's best answer is found once all but i and its ancestors are summed out."""

    sums: list[_Sum]
    factors: list[list[tuple[int, int, int]]]
    """For each joint action of the ancestors: agent, row and action of every factor of its probability."""
    groups: list[list[tuple[int, int]]]
    """For each joint action of the parents: factor, and where its numbers start."""
    stride: int
    actions: int
    ancestors: int


class Problem:
    """A game and a policy in integers, over the states that the start can reach.

    Vectors are lists of integers over `reached`: multiples of 2^-scale. Probabilities of the policy have
    `bits` binary digits, by default so many that what they leave open counts less than rounding vectors.
    """

    def __init__(self, game: Game, policy: Policy, bits: int | None = None) -> None:
        self.game, self.policy = game, policy
        agents, states, joint = len(game.actions), len(game.initial), math.prod(game.actions)
        self._check(agents, states)
        self.reached = _reached(game)
        place = {state: number for number, state in enumerate(self.reached)}
        rewards = [[Fraction(r) for r in game.reward[s * joint : (s + 1) * joint]] for s in self.reached]
        lowest = min(map(min, rewards))
        self.range = max(map(max, rewards)) - lowest
        self.gamma = Fraction(game.gamma)
        effort = math.ceil(1 / (1 - self.gamma)).bit_length()
        self.scale = DIGITS + 2 * effort - _exponent(self.range)
        self.bits = bits or DIGITS + 4 * effort + sum(game.actions).bit_length()
        unit = Fraction(2) ** self.scale
        self.down = [[math.floor((r - lowest) * unit) for r in row] for row in rewards]
        self.up = [[math.ceil((r - lowest) * unit) for r in row] for row in rewards]
        self.row_of = [game.row_of[s * joint : (s + 1) * joint] for s in self.reached]
        used = {row for rows in self.row_of for row in rows}
        self._rows = [
            _row(weights, [place[s] for s in to]) if number in used and self.gamma else None
            for number, (weights, to) in enumerate(game.rows)
        ]
        start = whole_numbers(game.initial)
        self.start = [Fraction(start[state], sum(start)) for state in self.reached]
        self.tables = self._enclosed()
        order = policy.order
        self._all = _sums(game.actions, policy.parents, order, set())
        self._responses = [_response(game.actions, policy, order, agent) for agent in range(agents)]

    def _check(self, agents: int, states: int) -> None:
        for agent, theta in enumerate(self.policy.thetas):
            above = math.prod(self.game.actions[parent] for parent in self.policy.parents[agent])
            if len(theta) != states * above * self.game.actions[agent]:
                raise CheckError(f"theta_{agent} does not fit the game")
            if not all(math.isfinite(logit) for logit in theta):
                raise CheckError(f"theta_{agent} must be finite")
            width = self.game.actions[agent]
            rows = (theta[start : start + width] for start in range(0, len(theta), width))
            if self.policy.direct and not all(min(row) >= 0 and sum(row) > 0 for row in rows):
                raise CheckError(f"theta_{agent} must hold probabilities: its policy is direct")
        if len(self.policy.thetas) != agents:
            raise CheckError(f"expected the logits of {agents} agents, got {len(self.policy.thetas)}")

    def _enclosed(self) -> list[list[list[list[int]]]]:
        """Tables of every agent by reached state and row of parents' actions."""
        tables, enclose = [], shares if self.policy.direct else softmax
        for agent, theta in enumerate(self.policy.thetas):
            width = self.game.actions[agent]
            size = width * math.prod(self.game.actions[above] for above in self.policy.parents[agent])
            tables.append([enclose(theta[s * size : (s + 1) * size], width, self.bits) for s in self.reached])
        return tables

    def following(self, values: Sequence[int], upwards: bool) -> list[list[int]]:
        """Q(s, a) = r + gamma E[values], rounded down or up."""
        above, below = self.gamma.numerator, self.gamma.denominator
        expected = [0] * len(self._rows)
        for number, row in enumerate(self._rows):
            if row is not None:
                mean = sum(map(mul, row[0], row[1](values))) * above
                expected[number] = -(-mean // (row[2] * below)) if upwards else mean // (row[2] * below)
        rewards = self.up if upwards else self.down
        return [
            [reward + expected[number] for reward, number in zip(row, numbers, strict=True)]
            for row, numbers in zip(rewards, self.row_of, strict=True)
        ]

    def under_policy(self, values: Sequence[int], upwards: bool) -> list[int]:
        """T_pi, with the enclosed policy."""
        Q = self.following(values, upwards)
        return [self._sum_out(self._all, state, tensor, upwards)[0] for state, tensor in enumerate(Q)]

    def best(self, values: Sequence[int], upwards: bool) -> list[int]:
        """T, of the best joint action."""
        return [max(tensor) for tensor in self.following(values, upwards)]

    def best_response(self, agent: int, values: Sequence[int], upwards: bool) -> list[int]:
        """T_i, of the best answer of one agent to the others."""
        shift = self.shift_of(agent)
        totals = [sum(map(max, rows)) for rows in self.answers(agent, values, upwards)]
        return [-(-total >> shift) if upwards else total >> shift for total in totals]

    def shift_of(self, agent: int) -> int:
        """Binary digits by which the sums of :meth:`answers` are longer than vectors."""
        return self.bits * self._responses[agent].ancestors

    def answers(self, agent: int, values: Sequence[int], upwards: bool) -> Iterable[list[list[int]]]:
        """Yield pi(a^P | s) E[Q | s, a^P, a^i] by rows of the parents' actions, for every state."""
        plan = self._responses[agent]
        for state, tensor in enumerate(self.following(values, upwards)):
            left = self._sum_out(plan.sums, state, tensor, upwards)
            weights = [
                math.prod([self.tables[j][state][row][own] for j, row, own in factors])
                for factors in plan.factors
            ]
            yield [
                [
                    sum([weights[factor] * left[start + b * plan.stride] for factor, start in group])
                    for b in range(plan.actions)
                ]
                for group in plan.groups
            ]

    def _sum_out(self, sums: list[_Sum], state: int, tensor: list[int], upwards: bool) -> list[int]:
        for total in sums:
            table, stride, span = self.tables[total.agent][state], total.stride, total.span
            tensor = [
                sum(map(mul, table[row], tensor[start : start + span : stride]))
                for start, row in total.places
            ]
            tensor = [-(-x >> self.bits) if upwards else x >> self.bits for x in tensor]
        return tensor

    def vector(self, parts: Sequence[Sequence[float]]) -> list[int]:
        """Return the sum of some rows of floats over all states, as a vector."""
        unit = Fraction(2) ** self.scale
        return [round(sum(Fraction(part[state]) for part in parts) * unit) for state in self.reached]

    # ----------------------------------------------------------------------------- bounds

    def at_start(self, values: Sequence[int]) -> Fraction:
        """Mean of a vector over mu."""
        mean = sum((weight * value for weight, value in zip(self.start, values, strict=True)), Fraction(0))
        return mean / Fraction(2) ** self.scale

    def excess(self, larger: Sequence[int], smaller: Sequence[int]) -> Fraction:
        """max(larger - smaller)^+ / (1 - gamma)."""
        most = max(0, *(high - low for high, low in zip(larger, smaller, strict=True)))
        return most / (Fraction(2) ** self.scale * (1 - self.gamma))

    def at_most(self, values: Sequence[int], backup: Backup) -> Fraction:
        """Return what the fixed point of a backup is never above at the start."""
        return self.at_start(values) + self.excess(backup(values, True), values)

    def at_least(self, values: Sequence[int], backup: Backup) -> Fraction:
        """Return what the fixed point of a backup is never below at the start."""
        return self.at_start(values) - self.excess(values, backup(values, False))

    @property
    def off(self) -> Fraction:
        """Most that a value of the enclosed policy differs: its L1 error in a state, R / 2 (1 - gamma)^2."""
        error = Fraction(5 * sum(self.game.actions), 1 << self.bits)
        return error * self.range / (2 * (1 - self.gamma) ** 2)


@dataclass(frozen=True)
class Vectors:
    """Anything, the closer to V^pi, BR_i and V* the better; see :meth:`Problem.vector`."""

    value: list[int]
    responses: list[list[int]]
    optimum: list[int]


@dataclass(frozen=True)
class Bounds:
    """What is proved of each agent's gain, and of the optimality gap."""

    gains: tuple[Fraction, ...]
    optimality: Fraction

    @property
    def nash(self) -> Fraction:
        """Of the Nash gap."""
        return max(self.gains)


def upper_bounds(problem: Problem, found: Vectors) -> Bounds:
    """Return what the gaps are never above."""
    if problem.range == 0:
        return Bounds((Fraction(0),) * len(found.responses), Fraction(0))  # one reward: all are alike
    value = problem.at_least(found.value, problem.under_policy) - problem.off
    responses = [
        problem.at_most(u, partial(problem.best_response, agent)) + problem.off
        for agent, u in enumerate(found.responses)
    ]
    optimum = problem.at_most(found.optimum, problem.best)
    # Staying put is always allowed, so a gap is never negative.
    return Bounds(
        tuple(max(Fraction(0), best - value) for best in responses), max(Fraction(0), optimum - value)
    )


def lower_bounds(problem: Problem, found: Vectors) -> Bounds:
    """Return what the gaps are never below."""
    if problem.range == 0:
        return Bounds((Fraction(0),) * len(found.responses), Fraction(0))
    value = problem.at_most(found.value, problem.under_policy) + problem.off
    responses = [
        problem.at_least(u, partial(problem.best_response, agent)) - problem.off
        for agent, u in enumerate(found.responses)
    ]
    optimum = problem.at_least(found.optimum, problem.best)
    return Bounds(
        tuple(max(Fraction(0), best - value) for best in responses), max(Fraction(0), optimum - value)
    )


def float_above(number: Fraction) -> float:
    """Return the smallest float that is at least a number; infinity if there is none."""
    try:
        nearest = number.numerator / number.denominator
    except OverflowError:
        return math.inf
    return nearest if Fraction(nearest) >= number else math.nextafter(nearest, math.inf)


def _reached(game: Game) -> list[int]:
    """Return every state that counts: some policy reaches it, and is not discounted to 0 there."""
    joint = math.prod(game.actions)
    found = {state for state, weight in enumerate(game.initial) if weight > 0}
    waiting = list(found) if game.gamma else []
    while waiting:
        state = waiting.pop()
        for row in set(game.row_of[state * joint : (state + 1) * joint]):
            new = set(game.rows[row][1]) - found
            found |= new
            waiting += new
    return sorted(found)


def _row(weights: Sequence[float], to: list[int]) -> tuple[list[int], Any, int]:
    whole = whole_numbers(weights)
    common = math.gcd(*whole)
    whole = [weight // common for weight in whole]
    pick = itemgetter(*to) if len(to) > 1 else lambda values, only=to[0]: (values[only],)
    return whole, pick, sum(whole)


def _exponent(number: Fraction) -> int:
    return number.numerator.bit_length() - number.denominator.bit_length()


def _sums(
    actions: Sequence[int], parents: Sequence[Sequence[int]], order: Sequence[int], kept: set[int]
) -> list[_Sum]:
    """Plan to sum all agents out but those who are kept, children first; ancestors of kept ones are kept."""
    present, steps = list(range(len(actions))), []
    for agent in reversed(order):
        if agent in kept:
            continue
        strides = _strides(actions, present)
        others = [other for other in present if other != agent]
        places = []
        for joint in product(*(range(actions[other]) for other in others)):
            chosen = dict(zip(others, joint, strict=True))
            start = sum(strides[other] * action for other, action in chosen.items())
            places.append((start, _position(actions, parents[agent], chosen)))
        steps.append(_Sum(agent, strides[agent], strides[agent] * actions[agent], places))
        present = others
    return steps


def _response(actions: Sequence[int], policy: Policy, order: Sequence[int], agent: int) -> _Response:
    above = sorted(policy.ancestors(agent))
    strides = _strides(actions, sorted([*above, agent]))
    rows = math.prod(actions[parent] for parent in policy.parents[agent])
    factors: list[list[tuple[int, int, int]]] = []
    groups: list[list[tuple[int, int]]] = [[] for _ in range(rows)]
    for joint in product(*(range(actions[other]) for other in above)):
        chosen = dict(zip(above, joint, strict=True))
        start = sum(strides[other] * action for other, action in chosen.items())
        groups[_position(actions, policy.parents[agent], chosen)].append((len(factors), start))
        factors.append([(j, _position(actions, policy.parents[j], chosen), chosen[j]) for j in above])
    sums = _sums(actions, policy.parents, order, {*above, agent})
    return _Response(sums, factors, groups, strides[agent], actions[agent], len(above))


def _strides(actions: Sequence[int], present: Sequence[int]) -> dict[int, int]:
    strides, size = {}, 1
    for agent in reversed(present):
        strides[agent] = size
        size *= actions[agent]
    return strides


def _position(actions: Sequence[int], members: Sequence[int], chosen: dict[int, int]) -> int:
    position = 0
    for member in members:
        position = position * actions[member] + chosen[member]
    return position


# --------------------------------------------------------------------------------- a run folder

CERTIFICATE, WITNESS = "certificate.json", "certificate.npz"


@dataclass(frozen=True)
class Finding:
    """What became of an entry of `proved`.

    Parameters
    ----------
    claim, by : str
    epsilon : float
    at_most : float
        What is proved here.
    at_least : float or None
        What the gap is never below, where the entry is not proved.
    """

    claim: str
    by: str
    epsilon: float
    at_most: float
    at_least: float | None

    @property
    def holds(self) -> bool:
        """Whether the entry is proved."""
        return self.at_least is None

    def __str__(self) -> str:
        """Return one line for people."""
        name = f"{self.claim} with epsilon {self.epsilon!r} ({self.by})"
        if self.at_least is None:
            return f"{name} holds"
        if self.at_least > self.epsilon:
            return f"{name} is false: the gap is at least {self.at_least!r}"
        return f"{name} is not proved: the gap is at most {self.at_most!r}"


def judge(proved: Any, problem: Problem, found: Vectors) -> list[Finding]:
    """Compare every entry of `proved` with what the vectors prove."""
    if not isinstance(proved, list):
        raise CheckError(f"{CERTIFICATE}: proved must be a list")
    above = upper_bounds(problem, found)
    below: Bounds | None = None
    findings = []
    for entry in proved:
        try:
            claim, by, epsilon = str(entry["claim"]), str(entry["by"]), float(entry["epsilon"])
            most = {"epsilon-nash": above.nash, "epsilon-optimal": above.optimality}[claim]
        except (KeyError, TypeError, ValueError):
            raise CheckError(
                f"{CERTIFICATE}: an entry of proved is not understood: {str(entry)[:200]}"
            ) from None
        if epsilon >= 0 and (epsilon == math.inf or most <= Fraction(epsilon)):
            findings.append(Finding(claim, by, epsilon, float_above(most), None))
            continue
        below = below or lower_bounds(problem, found)
        least = below.nash if claim == "epsilon-nash" else below.optimality
        findings.append(Finding(claim, by, epsilon, float_above(most), -float_above(-least)))
    return findings


def read_file(path: Path) -> bytes:
    """Read a regular file that is not too large: a pipe, a device or a terabyte of zeros is refused."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_FILE:
                raise CheckError(f"{path}: expected a regular file of at most {LARGEST_FILE} bytes")
            return file.read(status.st_size)
    except OSError as error:
        raise CheckError(f"{path} cannot be read: {error.strerror}") from None


def read_json(path: Path) -> dict[str, Any]:
    """Read a file that holds one object."""
    try:
        content = json.loads(read_file(path).decode())
    except (ValueError, RecursionError) as error:
        raise CheckError(f"{path} cannot be read: {str(error)[:200]}") from None
    if not isinstance(content, dict):
        raise CheckError(f"{path} must hold one object")
    return content


def read_game(folder: Path) -> Game:
    """Read the game of a run: its file in the folder, or what the certificate keeps of it."""
    path = folder / "experiment.toml"
    try:
        text = read_file(path).decode("utf-8-sig")
        if any(key.count(".") > 100 for key in re.split(r"[\n=,\[\]{}#]+", re.sub(r"[ \t]", "", text))):
            raise CheckError(f"{path}: nested too deeply")  # the parser needs room in the square of that
        name = str(tomllib.loads(text)["game"])
    except (ValueError, KeyError, RecursionError) as error:
        raise CheckError(f"{path} does not say which game it was: {error}") from None
    if name.endswith(".npz"):
        arrays = read_npz(folder / name)
        # A file of another structure is kept as its distinct rows, as a built-in game is.
        if "transition" in arrays or "successors" in arrays or not (folder / WITNESS).exists():
            return game_from_arrays(arrays, str(folder / name))
    return game_from_arrays(read_npz(folder / WITNESS), str(folder / WITNESS))


def read_policy(folder: Path, certificate: dict[str, Any], agents: int) -> Policy:
    """Read the last theta of everybody: gathered in `policy.npz`, or in the agents' own folders."""
    if (folder / "policy.npz").exists():
        arrays = read_npz(folder / "policy.npz")
        try:
            edges = arrays["edges"]
            pairs = list(zip(edges.numbers[::2], edges.numbers[1::2], strict=True))
            name = "pi" if "pi_0" in arrays and "theta_0" not in arrays else "theta"
            direct = name == "pi"
            thetas = [arrays[f"{name}_{agent}"].numbers for agent in range(agents)]
        except (KeyError, ValueError) as error:
            raise CheckError(f"{folder / 'policy.npz'} holds no policy: {error}") from None
    else:
        pairs = [(parent, child) for parent, child in certificate.get("dag", ())]
        direct = certificate.get("policy") == "direct"
        thetas = [
            _own_theta(folder / "agents" / f"agent-{i}", certificate.get("rounds")) for i in range(agents)
        ]
    return Policy(parents_of(agents, pairs), tuple(thetas), direct)


def _own_theta(folder: Path, rounds: Any) -> Sequence[float]:
    """Read the theta of a round from an agent's folder: from its slots, or from a file a round as once."""
    slots = folder / "theta.slots"
    whole = read_file(slots) if slots.is_file() else b""
    size = len(whole) // 3
    for raw in (whole[place * size : (place + 1) * size] for place in range(3 if size >= 56 else 0)):
        magic, number, length, digest = struct.unpack_from("<8sQQ32s", raw)
        data = raw[56 : 56 + length]
        sealed = hashlib.sha256(struct.pack("<QQ", number, length) + data).digest()
        if (magic, number, digest) == (b"BNPGSLOT", rounds, sealed):
            return read_npy(data, str(slots)).numbers
    for path in sorted(folder.glob("theta-*-*.npy")):
        _, number, digest = path.stem.split("-")
        data = read_file(path)
        if number.isdecimal() and int(number) == rounds and hashlib.sha256(data).hexdigest()[:16] == digest:
            return read_npy(data, str(path)).numbers
    raise CheckError(f"{folder} holds no theta of round {rounds}, and there is no policy.npz")


def read_vectors(folder: Path, problem: Problem) -> Vectors:
    """Read the vectors that come with a certificate."""
    arrays = read_npz(folder / WITNESS)
    states = len(problem.game.initial)

    def vector(name: str) -> list[int]:
        numbers = arrays[name].numbers
        parts = [numbers[start : start + states] for start in range(0, len(numbers), states)]
        return problem.vector(parts)

    try:
        responses = [vector(f"response_{agent}") for agent in range(len(problem.game.actions))]
        return Vectors(vector("value"), responses, vector("optimum"))
    except (KeyError, IndexError, ValueError, OverflowError) as error:
        raise CheckError(f"{folder / WITNESS} does not hold the vectors of this game: {error!r}") from None


def misplaced(certificate: dict[str, Any], game: Game, policy: Policy) -> list[str]:
    """Say what the certificate speaks of and is not in the folder."""
    reasons = []
    if certificate.get("policy_digest") != policy.digest:
        reasons.append("the policy is another one: its policy_digest differs")
    edges = sorted([parent, child] for child, above in enumerate(policy.parents) for parent in above)
    if certificate.get("dag") != edges:
        reasons.append(f"the DAG is another one: the policy has the edges {edges}")
    checked = certificate.get("exact_check")
    expected = checked.get("game_sha256") if isinstance(checked, dict) else None
    if expected is not None and expected != game.digest:
        reasons.append("the game is another one: its game_sha256 differs")
    return reasons


def overstated(certificate: dict[str, Any], findings: Sequence[Finding]) -> list[str]:
    """Say whether a gap is called certified that is larger than what was asked for."""
    if certificate.get("certified") is not True:
        return []
    gap, asked = certificate.get("stop_gap"), certificate.get("stop_at_epsilon")
    claim = {"nash": "epsilon-nash", "optimality": "epsilon-optimal"}.get(str(gap))
    proved = [finding.at_most for finding in findings if finding.claim == claim]
    if proved and isinstance(asked, float) and proved[0] <= asked:
        return []
    return [f"a gap ({gap}) of {asked} is called certified and is not proved"]


def check(folder: Path) -> tuple[list[Finding], list[str]]:
    """Check a run folder: what became of the entries of its certificate, and what is of something else."""
    certificate = read_json(folder / CERTIFICATE)
    game = read_game(folder)
    whole = folder / "policy.npz"
    with named_in(whole if whole.exists() else folder):
        policy = read_policy(folder, certificate, len(game.actions))
        problem = Problem(game, policy)
    findings = judge(certificate.get("proved"), problem, read_vectors(folder, problem))
    return findings, misplaced(certificate, game, policy) + overstated(certificate, findings)


def document(findings: Sequence[Finding], reasons: Sequence[str]) -> dict[str, Any]:
    """Return what was found as one JSON object."""
    entries = [
        {
            "claim": finding.claim,
            "by": finding.by,
            "epsilon": finding.epsilon,
            "holds": finding.holds,
            "at_most": finding.at_most,
            "at_least": finding.at_least,
            **({"at_least_reason": "it holds"} if finding.at_least is None else {}),
        }
        for finding in findings
    ]
    holds = not reasons and all(finding.holds for finding in findings)
    return {"holds": holds, "entries": entries, "violations": [*reasons, *map(str, failed(findings))]}


def failed(findings: Sequence[Finding]) -> list[Finding]:
    """Return the entries that are not proved."""
    return [finding for finding in findings if not finding.holds]


def main(arguments: Sequence[str]) -> int:
    """Check a run folder and say what was found."""
    folders = [argument for argument in arguments if argument != "--json"]
    if len(folders) != 1 or folders[0].startswith("-"):
        print("usage: exact_check.py RUN [--json]", file=sys.stderr)
        return 2
    try:
        findings, reasons = check(Path(folders[0]))
    except (CheckError, OSError) as error:
        print(f"exact_check: error: {error}", file=sys.stderr)
        return 2
    except (ArithmeticError, LookupError, MemoryError, RecursionError, TypeError, ValueError) as error:
        # What the shapes of arrays and the types of a certificate can come to when they do not fit.
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        print(f"exact_check: error: {folders[0]} cannot be checked: {reason}", file=sys.stderr)
        return 2
    found = document(findings, reasons)
    print(json.dumps(found) if "--json" in arguments else "\n".join([*map(str, findings), *reasons]))
    return 0 if found["holds"] else 5


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
