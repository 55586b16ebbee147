"""Who is next to an agent in the DAG: parents and children of the present epoch, and the edges to them."""

from bnpg_protocol.wire.addresses import COORDINATOR
from bnpg_protocol.wire.effects import Admit, Connect, Effect
from bnpg_protocol.wire.links import Neighbour
from bnpg_protocol.wire.messages import Roster, Welcome

COORDINATOR_ROUTE = "coordinator"


def fits(roster: Roster, welcome: Welcome) -> bool:
    """Whether a roster has the neighbours of the Welcome, and a key for each or for none.

    With a relay they are the ends of its links only.
    """
    expected = (welcome.parents, welcome.children)
    if welcome.relay:
        expected = tuple(end for end, _ in welcome.hears), tuple(end for end, _ in welcome.hands)
    parents, children = (
        tuple(neighbour[0] for neighbour in roster.parents),
        tuple(neighbour[0] for neighbour in roster.children),
    )
    return (parents, children) == expected and all(
        len(keys) in (0, len(peers))
        for keys, peers in ((roster.parent_keys, parents), (roster.child_keys, children))
    )


class Neighbourhood:
    """Parents and children as the newest roster names them; nobody before the first one."""

    def __init__(self) -> None:
        self.parents: tuple[int, ...] = ()
        self.children: tuple[int, ...] = ()
        self._unconfirmed: set[tuple[str, int]] = set()
        self._child_routes: dict[str, int] = {}

    def enter(self, roster: Roster, coordinator: int) -> tuple[dict[int, Neighbour], list[Effect]]:
        """Take the neighbours of a new epoch, whose edges are to be confirmed anew.

        Parameters
        ----------
        roster : Roster
        coordinator : int
            Incarnation of the coordinator.

        Returns
        -------
        neighbours : dict from address to Neighbour
            The other ends of this agent's links.
        effects : list of Effect
            Connections to open, and who is let in.
        """
        neighbours = {COORDINATOR: Neighbour(coordinator, COORDINATOR_ROUTE)}
        effects: list[Effect] = []
        if roster.parent_keys:
            pairs = zip(roster.parent_keys, roster.parents, strict=True)
            effects.append(Admit({key: parent for key, (parent, _) in pairs}))
        child_keys = roster.child_keys or ("",) * len(roster.children)
        self._child_routes = {}
        for (child, incarnation, endpoint), key in zip(roster.children, child_keys, strict=True):
            # One name for all its lives: the new connection takes the place of the old one. If both stayed,
            # a child that came back to its endpoint would keep only one of them, perhaps the wrong one.
            route = f"child-{child}"
            neighbours[child] = Neighbour(incarnation, route)
            self._child_routes[route] = child
            effects.append(Connect(route, endpoint, key))
        for parent, incarnation in roster.parents:
            neighbours[parent] = Neighbour(incarnation, "")
        self.parents = tuple(parent for parent, _ in roster.parents)
        self.children = tuple(child for child, _, _ in roster.children)
        self._unconfirmed = {("parent", parent) for parent in self.parents} | {
            ("child", child) for child in self.children
        }
        return neighbours, effects

    def may_speak(self, sender: int, origin: str) -> bool:
        """Whether a connection is the one of the peer its message names: nobody borrows another's voice."""
        if origin == COORDINATOR_ROUTE:
            return sender == COORDINATOR
        child = self._child_routes.get(origin)
        if child is not None:
            return sender == child
        return sender != COORDINATOR and sender not in self.children

    def awaits(self, role: str, peer: int) -> bool:
        """Whether the edge to a "parent" or a "child" is not confirmed yet."""
        return (role, peer) in self._unconfirmed

    def confirm(self, role: str, peer: int) -> None:
        """Take note that there is an edge to a parent or a child."""
        self._unconfirmed.discard((role, peer))

    def unconfirmed(self) -> list[int]:
        """Return the peers to which there is no edge yet, ascending."""
        return sorted({peer for _, peer in self._unconfirmed})
