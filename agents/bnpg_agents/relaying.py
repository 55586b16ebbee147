"""How the actions of a turn come in and go out where there is a relay: in arrays of a row an agent."""

from typing import Any, NamedTuple

import numpy as np
from bnpg_protocol.wire.errors import OrderViolation
from bnpg_protocol.wire.messages import Carried, Welcome
from bnpg_protocol.wire.rows import row_type
from numpy.typing import NDArray

from bnpg_math.arrays import IntArray
from bnpg_math.arrays.cells import within

Rows = NDArray[np.integer[Any]]
"""(agents, lanes): a row of actions for every agent."""


class Outlet(NamedTuple):
    """What goes to one child."""

    child: int
    pick: "NDArray[np.intp] | None"
    """Which of the rows that come in and the own one; None: all of them."""
    dtype: "np.dtype[Any]"


class Relaying:
    """The links of one agent, and the rows of each.

    Parameters
    ----------
    welcome : Welcome
        Of a run with a relay.

    Raises
    ------
    OrderViolation
        If it contradicts itself: every parent's actions must come in exactly once, from a parent, and what
        goes out must be known here.
    """

    def __init__(self, welcome: Welcome) -> None:
        actions = dict(zip(welcome.parents, welcome.parent_actions, strict=True))
        incoming = [agent for _, carried in welcome.hears for agent in carried]
        known = (*welcome.parents, welcome.agent)
        right = (
            sorted(incoming) == list(welcome.parents)
            and _whole(welcome.hears, welcome.parents)
            and _whole(welcome.hands, welcome.children)
            and all(welcome.agent in carried and set(carried) <= set(known) for _, carried in welcome.hands)
            and all(sender in carried for sender, carried in welcome.hears)
        )
        if not right:
            raise OrderViolation(
                f"the Welcome says that actions come in as {welcome.hears} and go out as {welcome.hands}: "
                f"expected those of parents {welcome.parents} once each, and to children {welcome.children}"
            )
        self.senders = tuple(sender for sender, _ in welcome.hears)
        self.receivers = tuple(child for child, _ in welcome.hands)
        self.carried = dict(welcome.hears)
        self.choices: dict[int, NDArray[np.int64]] = {}
        """By sender: how many actions the agent of each of its rows has, as a column."""
        self._alike: dict[int, int] = {}
        """By sender: how many actions each of them has, where that is the same."""
        self.types: dict[int, np.dtype[Any]] = {}
        """By sender: of the rows, whatever type they came in."""
        for sender, carried in welcome.hears:
            column = [actions[agent] for agent in carried]
            self.choices[sender] = np.array(column)[:, None]
            if len(set(column)) == 1:
                self._alike[sender] = column[0]
            self.types[sender] = row_type(max(column))
        place = {agent: at for at, agent in enumerate((*incoming, welcome.agent))}
        in_order = [place[parent] for parent in welcome.parents]
        self._in_order = None if in_order == list(range(len(in_order))) else in_order
        """Where the row of each parent is among those that come in; None: in their order."""
        actions[welcome.agent] = welcome.actions
        self.outlets: list[Outlet] = []
        for child, carried in welcome.hands:
            pick = [place[agent] for agent in carried]
            everything = pick == list(range(len(place)))
            dtype = row_type(max(actions[agent] for agent in carried))
            self.outlets.append(Outlet(child, None if everything else np.array(pick, dtype=np.intp), dtype))

    def fits(self, sender: int, rows: Rows) -> bool:
        """Whether there is a row for every agent of a link, a lane, and all actions exist."""
        choices = self.choices.get(sender)
        if choices is None:
            return True
        if len(rows) != len(choices):
            return False
        alike = self._alike.get(sender)
        if alike is not None:
            return within(rows.reshape(-1), alike)
        return rows.shape[1] > 0 and bool((rows < choices).all())

    def taken_in(self, sender: int, rows: Rows) -> Rows:
        """Return rows of a link in the type that all who speak of them use."""
        return rows.astype(self.types[sender], copy=False)

    def by_parent(self, heard: "list[Rows]") -> list[IntArray]:
        """Return the parents' actions, ascending by parent, from the rows of every link."""
        if not heard:
            return []
        rows = heard[0] if len(heard) == 1 else [row for array in heard for row in array]
        return list(rows) if self._in_order is None else [rows[place] for place in self._in_order]

    def handed_on(self, heard: "list[Rows]", own: IntArray) -> list[tuple[int, Rows]]:
        """Return the rows for every child, from what came in and the agent's own actions."""
        if not self.outlets:
            return []
        whole = np.concatenate([*heard, own[None]])
        handed = []
        for child, pick, dtype in self.outlets:
            rows = (whole if pick is None else whole[pick]).astype(dtype, copy=False)
            rows.setflags(write=False)
            handed.append((child, rows))
        return handed


def _whole(carried: Carried, neighbours: tuple[int, ...]) -> bool:
    """Whether links are some of those to these neighbours, ascending, and their rows are ascending too."""
    ends = [end for end, _ in carried]
    ordered = all(list(rows) == sorted(set(rows)) for _, rows in carried)
    return ends == sorted(set(ends)) and set(ends) <= set(neighbours) and ordered
