"""Strategic games in Gambit's `.nfg` format whose players all get the same.

The format is a title, the players, their strategies (as numbers or names) and the payoffs: either as a list
with the first player's strategy changing fastest, or as outcomes and the list of the outcome of each profile.
"""

import math
import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np

from bnpg_math.errors import GameError
from bnpg_math.games.builtin.matrix import matrix_game
from bnpg_math.games.game import MOST_AGENTS, Game
from bnpg_math.games.readers.text import read_text, refuse

LARGEST = 1 << 24
"""Most payoffs of a file."""
_TOKEN = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([{}])|([^\s{},"]+)|(,))')
_NUMBER = re.compile(r"[+-]?(\d+/\d+|(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?)")


class _Token(NamedTuple):
    """A piece of the file: ``kind`` is one of name, brace, word, end."""

    kind: str
    text: str
    line: int


def read_nfg(path: Path, gamma: float | None = None) -> Game:
    """Read a file.

    Parameters
    ----------
    path : Path
    gamma : float, optional
        Discount of the game repeated for ever; a single shot (0) if missing.

    Returns
    -------
    Game
        With one state.

    Raises
    ------
    GameError
        One line: file, line, what was expected, what came; or the first profile that two players are paid
        differently for.
    """
    team = _Reader(path).payoff()
    try:
        return matrix_game(path.stem, team, 0.0 if gamma is None else gamma)
    except GameError as reason:
        raise GameError(f"{path}: {reason}") from None


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._tokens = _tokens(path, read_text(path, "game file"))
        self._next = 0

    def payoff(self) -> np.ndarray:
        """Return what the team gets, [A_1, .., A_N]."""
        for word in ("NFG", "1"):
            self._expect("word", word, "NFG 1 R or NFG 1 D")
        if self._take("word", "R or D").text not in ("R", "D"):
            self._refuse(self._tokens[self._next - 1], "R or D")
        self._take("name", "a title in quotes")
        players = [token.text for token in self._braced("name", "the name of a player in quotes")]
        if not 1 <= len(players) <= MOST_AGENTS:
            self._refuse(self._tokens[self._next - 1], f"1 to {MOST_AGENTS} players")
        counts = self._strategies(len(players))
        if math.prod(counts) * len(players) > LARGEST:
            self._refuse(self._tokens[self._next - 1], f"at most {LARGEST} payoffs")
        if self._ahead().kind == "name":
            self._next += 1  # a comment
        paid = (
            self._outcomes(len(players), counts)
            if self._ahead().text == "{"
            else self._listed(len(players), counts)
        )
        if self._ahead().kind != "end":
            self._refuse(self._ahead(), "the end of the file")
        return self._common(players, counts, paid)

    def _strategies(self, players: int) -> list[int]:
        self._expect("brace", "{", "{ before the strategies")
        counts: list[int] = []
        while self._ahead().text != "}" or self._ahead().kind != "brace":
            token = self._ahead()
            if token.kind == "brace" and token.text == "{":
                counts.append(len(self._braced("name", "the name of a strategy in quotes")))
            elif token.kind == "word" and token.text.isdecimal() and len(token.text) < 9:
                counts.append(int(token.text))
                self._next += 1
            else:
                self._refuse(token, "the number or the names of a player's strategies")
        end = self._take("brace", "}")
        if len(counts) != players or min(counts) < 1:
            self._refuse(
                end, f"strategies of {players} players, at least one each, got those of {len(counts)}"
            )
        return counts

    def _listed(self, players: int, counts: Sequence[int]) -> list[list[Fraction]]:
        profiles = math.prod(counts)
        return [[self._number() for _ in range(players)] for _ in range(profiles)]

    def _outcomes(self, players: int, counts: Sequence[int]) -> list[list[Fraction]]:
        self._expect("brace", "{", "{ before the outcomes")
        outcomes = [[Fraction(0)] * players]
        while self._ahead().text == "{":
            self._next += 1
            self._take("name", "the name of an outcome in quotes")
            outcomes.append([self._number() for _ in range(players)])
            self._expect("brace", "}", f"}} after {players} payoffs")
        self._expect("brace", "}", "} after the outcomes")
        paid = []
        for _ in range(math.prod(counts)):
            token = self._take("word", "the number of an outcome")
            if not token.text.isdecimal() or len(token.text) > 9 or int(token.text) >= len(outcomes):
                self._refuse(token, f"the number of an outcome, 0..{len(outcomes) - 1}")
            paid.append(outcomes[int(token.text)])
        return paid

    def _common(self, players: list[str], counts: list[int], paid: list[list[Fraction]]) -> np.ndarray:
        try:
            self._require_common(players, counts, paid)
            flat = np.array([float(payoffs[0]) for payoffs in paid])
        except OverflowError:
            raise GameError(f"{self._path}: expected payoffs that fit a float64") from None
        return np.ascontiguousarray(flat.reshape(counts, order="F"))

    def _require_common(self, players: list[str], counts: list[int], paid: list[list[Fraction]]) -> None:
        for number, payoffs in enumerate(paid):
            for player, payoff in enumerate(payoffs):
                if payoff != payoffs[0]:
                    profile = [int(place) + 1 for place in np.unravel_index(number, counts, order="F")]
                    raise GameError(
                        f"{self._path}: expected a common payoff, as a team has, but for strategies "
                        f"{' '.join(map(str, profile))} {players[0]!r:.40} gets {float(payoffs[0]):g} and "
                        f"{players[player]!r:.40} {float(payoff):g}"
                    )

    # -------------------------------------------------------------------------------- tokens

    def _ahead(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, kind: str, expected: str) -> _Token:
        token = self._ahead()
        if token.kind != kind:
            self._refuse(token, expected)
        self._next += 1
        return token

    def _expect(self, kind: str, text: str, expected: str) -> None:
        if self._ahead().text != text:
            self._refuse(self._ahead(), expected)
        self._take(kind, expected)

    def _braced(self, kind: str, expected: str) -> list[_Token]:
        self._expect("brace", "{", f"{{ before {expected}")
        found = []
        while self._ahead().text != "}" or self._ahead().kind != "brace":
            found.append(self._take(kind, f"{expected}, or }}"))
        self._next += 1
        return found

    def _number(self) -> Fraction:
        token = self._take("word", "a payoff")
        if not _NUMBER.fullmatch(token.text) or len(token.text) > 400:
            self._refuse(token, "a payoff, such as 2, -1.5 or 1/3")
        try:
            return Fraction(token.text)
        except ZeroDivisionError:
            self._refuse(token, "a payoff")

    def _refuse(self, token: _Token, expected: str) -> NoReturn:
        refuse(self._path, token.line, expected, "the end of the file" if token.kind == "end" else token.text)


def _tokens(path: Path, text: str) -> list[_Token]:
    """Names in quotes, braces and words, with their lines; commas only part them."""
    found, place, line = [], 0, 1
    text = text.rstrip()
    while place < len(text):
        matched = _TOKEN.match(text, place)
        line += text.count("\n", place, matched.start(matched.lastindex or 0)) if matched else 0
        if not matched:
            refuse(
                path, line + text.count("\n", place), "a quote that is closed again", text[place : place + 60]
            )
        kind = ("name", "brace", "word", "comma")[(matched.lastindex or 1) - 1]
        if kind != "comma":
            found.append(_Token(kind, matched[matched.lastindex or 0], line))
        line += text.count("\n", matched.start(matched.lastindex or 0), matched.end())
        place = matched.end()
    return [*found, _Token("end", "", line)]
