"""Dec-POMDPs in the `.dpomdp` format of the MADP toolbox, read as if everybody saw the state.

The format is that of Cassandra's POMDP files with a joint action where those have an action: entries in a
fixed order, then statements T, O and R, of which a later one overwrites an earlier one. A value stands behind
a colon, or as a row or matrix on the lines that follow.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from bnpg_math.arrays import FloatArray
from bnpg_math.errors import GameError
from bnpg_math.games.game import MOST_AGENTS, Game, dense_game
from bnpg_math.games.probabilities import distributions
from bnpg_math.games.readers.text import SourceLine, lines_of, read_text, refuse
from bnpg_math.games.transitions.sparse import SparseTransition

LARGEST = 1 << 25
"""Most numbers of a table: of T, of O where rewards look at observations, of R."""
_STATEMENTS: dict[str, tuple[str, ...]] = {
    "T": ("action", "state", "state"),
    "O": ("action", "state", "observation"),
    "R": ("action", "state", "state", "observation"),
}
_MOST_NAMES = 1 << 16
_SPARSE_FROM = 1 << 16

OBSERVED = "every agent sees the state here; the observations of the file play no part in acting"

Names = dict[str, int]


def read_dpomdp(path: Path, gamma: float | None = None) -> Game:
    """Read a file.

    Parameters
    ----------
    path : Path
    gamma : float, optional
        Instead of the discount of the file, which is often 1.

    Returns
    -------
    Game
        Fully observed, which a notice says; sparse where that is much smaller.

    Raises
    ------
    GameError
        One line: file, line, what was expected, what came.
    """
    return _Reader(path).game(gamma)


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = list(lines_of(read_text(path, "game file")))
        self._next = 0
        self._agents = self._count(*self._entry("agents"), most=MOST_AGENTS)
        self._discount = self._number(*self._entry("discount"))
        line, values = self._entry("values")
        if values not in ("reward", "cost"):
            refuse(path, line, "values: reward, or values: cost", values)
        self._sign = 1.0 if values == "reward" else -1.0
        self._states = self._names(*self._entry("states"))
        self._start = self._starts()
        self._actions = self._each("actions")
        self._observations = self._each("observations")

    def game(self, gamma: float | None) -> Game:
        """Return the game of the file."""
        states, counts = len(self._states), [len(names) for names in self._actions]
        joint, seen = math.prod(counts), math.prod(len(names) for names in self._observations)
        self._sizes = {"action": joint, "state": states, "observation": seen}
        observed = any(map(_looks_at_observations, self._lines[self._next :]))
        self._T = self._zeros((joint, states, states), "T")
        self._O = self._zeros((joint, states, seen), "O") if observed else None
        self._R = np.zeros((joint, states, 1, 1))
        while self._next < len(self._lines):
            self._statement(self._lines[self._next])
        discount = self._discount if gamma is None else gamma
        if discount >= 1.0:
            raise GameError(
                f"{self._path}: discount is {discount:g}, expected one in [0, 1): choose one with "
                "bnpg convert FILE OUT.npz --gamma 0.95"
            )
        try:
            return self._made(counts, discount)
        except GameError as reason:
            raise GameError(f"{self._path}: {reason}") from None

    def _made(self, counts: list[int], gamma: float) -> Game:
        states = len(self._states)
        shape = (states, *counts)
        table = np.ascontiguousarray(self._T.transpose(1, 0, 2)).reshape(*shape, states)
        P, notice = distributions(table, "T", GameError)
        rewards = self._R.transpose(1, 0, 2, 3)
        if self._O is not None:
            chances, _ = distributions(self._O, "O", GameError)
            rewards = np.einsum(
                "sato,ato->sat",
                np.broadcast_to(rewards, (*rewards.shape[:2], states, chances.shape[2])),
                chances,
            )
        else:
            rewards = rewards[..., 0]
        mean = np.vecdot(
            P.reshape(states, -1, states), np.broadcast_to(rewards, (states, rewards.shape[1], states))
        )
        reward = (self._sign * mean).reshape(shape)
        if P.size >= _SPARSE_FROM and 4 * np.count_nonzero(P) < P.size:
            from scipy.sparse import csr_array

            kernel = SparseTransition(csr_array(P.reshape(-1, states)), counts)
            game = Game(self._path.stem, kernel, reward, self._start, gamma)
        else:
            game = dense_game(self._path.stem, P, reward, self._start, gamma)
        notices = (OBSERVED, notice, *game.notices)
        return replace(game, notices=tuple(filter(None, notices)))

    # ------------------------------------------------------------------------------- entries

    def _entry(self, keyword: str) -> tuple[int, str]:
        """Take the entry that must come next: its line, and what stands behind the colon."""
        line = self._take(f"{keyword}: ..")
        found, colon, rest = line.partition(":")
        if not colon or found.strip() != keyword:
            refuse(self._path, line.number, f"{keyword}: ..", line)
        return line.number, rest.strip()

    def _take(self, expected: str) -> SourceLine:
        if self._next == len(self._lines):
            last = self._lines[-1].number if self._lines else 1
            refuse(self._path, last, f"{expected} to follow", "the end of the file")
        self._next += 1
        return self._lines[self._next - 1]

    def _each(self, keyword: str) -> list[Names]:
        """Names of each agent's actions or observations, a line an agent."""
        number, rest = self._entry(keyword)
        lines = [(number, rest)] if rest else []
        while len(lines) < self._agents:
            line = self._take(f"the {keyword} of agent {len(lines)}")
            if ":" in line:
                refuse(self._path, line.number, f"the {keyword} of agent {len(lines)}", line)
            lines.append((line.number, line))
        return [self._names(*line) for line in lines]

    def _names(self, line: int, text: str) -> Names:
        """Return a list of names, or as many without a name as a number says."""
        words = text.split()
        if len(words) == 1 and words[0].isdecimal():
            return {str(number): number for number in range(self._count(line, words[0], _MOST_NAMES))}
        if not words or not all(word[0].isalpha() for word in words):
            refuse(self._path, line, "a number, or names that begin with a letter", text)
        if len(set(words)) != len(words):
            refuse(self._path, line, "names that differ", text)
        return {word: number for number, word in enumerate(words)}

    def _starts(self) -> FloatArray:
        line = self._take("start: ..")
        head, _, rest = line.partition(":")
        words, states = rest.split(), len(self._states)
        chosen = np.zeros(states, dtype=bool)
        if head.split() in (["start", "include"], ["start", "exclude"]):
            for word in words:
                chosen[self._one(word, self._states, line.number, "a state")] = True
            chosen = ~chosen if head.split()[1] == "exclude" else chosen
        elif head.split() != ["start"]:
            refuse(self._path, line.number, "start: .., start include: .. or start exclude: ..", line)
        elif len(words) == 1 and words[0] != "uniform":
            chosen[self._one(words[0], self._states, line.number, "a state")] = True
        else:
            return self._values(line, rest.strip(), (states,)).reshape(-1)
        if not chosen.any():
            refuse(self._path, line.number, "at least one state", rest)
        result: FloatArray = chosen / chosen.sum()
        return result

    def _count(self, line: int, text: str, most: int) -> int:
        number = int(text) if text.isdecimal() and len(text) < 10 else 0
        if not 1 <= number <= most:
            refuse(self._path, line, f"an integer in 1..{most}", text)
        return number

    def _number(self, line: int, text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            refuse(self._path, line, "a finite number", text)
        return number

    def _zeros(self, shape: tuple[int, ...], what: str) -> FloatArray:
        if math.prod(shape) > LARGEST:
            raise GameError(f"{self._path}: {what} must have at most {LARGEST} numbers, got {shape}")
        return np.zeros(shape)

    # ---------------------------------------------------------------------------- statements

    def _statement(self, line: SourceLine) -> None:
        """Take a statement with the lines that belong to it."""
        self._next += 1
        keyword, *fields = (field.strip() for field in line.split(":"))
        if keyword not in _STATEMENTS or not fields:
            refuse(self._path, line.number, "T: .., O: .. or R: ..", line)
        axes = _STATEMENTS[keyword]
        value = ""
        if len(fields) == len(axes) + 1 or (len(fields) > 1 and fields[-1] in ("uniform", "identity")):
            value = fields.pop()
        elif len(fields) > 1 and not fields[-1]:
            fields.pop()
        least = 2 if keyword == "R" else 1
        if not least <= len(fields) <= len(axes):
            refuse(
                self._path,
                line.number,
                f"{keyword}: {' : '.join(f'<{axis}>' for axis in axes)} : value",
                line,
            )
        chosen: list[Any] = [
            self._places(field, axis, line) for field, axis in zip(fields, axes, strict=False)
        ]
        free = tuple(self._sizes[axis] for axis in axes[len(fields) :])
        values = self._values(line, value, free).reshape((1,) * len(fields) + free)
        chosen += [range(size) for size in free]
        if keyword == "R":
            self._pay(chosen, values)
        elif keyword == "T":
            self._T[np.ix_(*chosen)] = values
        elif self._O is not None:
            self._O[np.ix_(*chosen)] = values

    def _pay(self, chosen: list[Any], values: FloatArray) -> None:
        """Set rewards; axes of next states and of observations are made when they matter first."""
        for axis, name in ((2, "state"), (3, "observation")):
            size = self._sizes[name]
            if (self._R.shape[axis] == 1 and len(chosen[axis]) < size) or values.shape[axis] > 1:
                shape = tuple(
                    size if dimension == axis else length for dimension, length in enumerate(self._R.shape)
                )
                self._zeros(shape, "R")
                self._R = np.array(np.broadcast_to(self._R, shape))
            if self._R.shape[axis] == 1:
                chosen[axis] = range(1)
        self._R[np.ix_(*chosen)] = values

    def _values(self, line: SourceLine, text: str, shape: tuple[int, ...]) -> FloatArray:
        """Read the numbers of an array from behind the colon, or from the lines that follow."""
        wanted = math.prod(shape)
        rows = [(line.number, word) for word in text.split()]
        while len(rows) < wanted and self._next < len(self._lines) and ":" not in self._lines[self._next]:
            following = self._lines[self._next]
            if rows and rows[0][1] in ("uniform", "identity"):
                break
            self._next += 1
            rows += [(following.number, word) for word in following.split()]
        words = [word for _, word in rows]
        if words == ["uniform"] and shape:
            return np.full(shape, 1.0 / shape[-1])
        if words == ["identity"] and len(shape) == 2 and shape[0] == shape[1]:
            return np.eye(shape[0])
        if len(rows) != wanted:
            where = rows[-1][0] if rows else line.number
            refuse(
                self._path,
                where,
                f"{wanted} numbers of the {line.partition(':')[0]} in line {line.number}",
                f"{len(rows)}",
            )
        return np.array([self._number(*row) for row in rows]).reshape(shape)

    def _places(self, field: str, axis: str, line: SourceLine) -> Sequence[int]:
        """Return which of the states, joint actions or joint observations are meant."""
        if field == "*":
            return range(self._sizes[axis])
        if axis == "state":
            return [self._one(field, self._states, line.number, "a state")]
        words = field.split()
        members = self._actions if axis == "action" else self._observations
        if len(words) == 1 and len(members) > 1:
            if not (words[0].isdecimal() and len(words[0]) < 10 and int(words[0]) < self._sizes[axis]):
                refuse(
                    self._path, line.number, f"a joint {axis}: an index in 0..{self._sizes[axis] - 1}", field
                )
            return [int(words[0])]
        if len(words) != len(members):
            refuse(
                self._path, line.number, f"the {axis} of each of {len(members)} agents, an index, or *", field
            )
        each = [
            range(len(names)) if word == "*" else [self._one(word, names, line.number, f"an {axis}")]
            for word, names in zip(words, members, strict=True)
        ]
        strides = [math.prod(len(names) for names in members[agent + 1 :]) for agent in range(len(members))]
        return [sum(map(int.__mul__, index, strides)) for index in product(*each)]

    def _one(self, word: str, names: Names, line: int, what: str) -> int:
        if word not in names and not (word.isdecimal() and len(word) < 10 and int(word) < len(names)):
            refuse(self._path, line, f"{what}: a name or an index in 0..{len(names) - 1}", word)
        return names[word] if word in names else int(word)


def _looks_at_observations(line: SourceLine) -> bool:
    """Whether rewards of a statement may depend on what is observed."""
    keyword, *fields = line.split(":")
    return keyword.strip() == "R" and not (len(fields) == 5 and set(fields[3].split()) == {"*"})
