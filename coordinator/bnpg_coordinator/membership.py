"""Who takes part: ids, incarnations, fencing, and the doubly confirmed edges of an epoch."""

from collections import Counter
from collections.abc import Collection, Sequence

from bnpg_protocol.process.security.admission import Admission
from bnpg_protocol.wire.addresses import UNASSIGNED, name
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.errors import OrderViolation
from bnpg_protocol.wire.links import Neighbour
from bnpg_protocol.wire.messages import Beacon, EdgesConfirmed, Hello, Reject, Roster
from bnpg_protocol.wire.version import PROTOCOL_VERSIONS, common_version
from msgspec import Struct

from bnpg_math.dag.interface import Graph


class Member(Struct):
    """One agent as the coordinator knows it."""

    incarnation: int
    route: str
    endpoint: str
    latest: int
    """Round of the newest theta the agent is known to hold."""
    held: tuple[int, ...]
    heard_at: float
    progress: Beacon = Beacon("greeting", 0, 0, ())
    """Its last beacon."""


_LOST = "an agent's state folder was lost or"


def newest_common(held: Sequence[Collection[int]], recorded: int | None = None) -> int | None:
    """Return the newest round whose theta everybody holds, no later than what is recorded; None without one.

    An agent may hold thetas of later rounds, of a life of the run that was killed while it stored them. They
    are what they will be again.

    Examples
    --------
    >>> newest_common([(4, 7, 8), (2, 3, 4)]), newest_common([(0, 1), (1, 2)], 0), newest_common([(), (0,)])
    (4, None, None)
    """
    common = set.intersection(*map(set, held))
    return max((round_ for round_ in common if recorded is None or round_ <= recorded), default=None)


def common_round(held: Sequence[Collection[int]], recorded: int | None = None) -> int:
    """Return the round a run goes on with: that of the newest theta that everybody holds.

    Parameters
    ----------
    held : sequence of N collections of int
        Of which rounds each agent holds its theta; at least of one.
    recorded : int, optional
        Rounds that are on record: it is no later one, so that the record has no gap.

    Raises
    ------
    OrderViolation
        If there is none; the text names an agent that does not hold what was to be expected: where the record
        ends, or what most of them hold, and of several such rounds the latest on record, or else the first.
    """
    base = newest_common(held, recorded)
    if base is not None:
        return base
    ends = recorded is not None and recorded < min(map(max, held))
    if ends:
        expected = recorded
    else:
        many = Counter(round_ for rounds in held for round_ in {*rounds})
        within = sorted(round_ for round_ in many if recorded is None or round_ <= recorded)
        expected = max(within if recorded is None else reversed(within), key=many.__getitem__)
    agent, rounds = next((agent, rounds) for agent, rounds in enumerate(held) if expected not in rounds)
    raise OrderViolation(
        f"the run must go on at round {expected}{', where its record ends' * ends}, "
        f"but agent {agent} holds theta of {', '.join(map(str, sorted(rounds)))} only: "
        f"{'lines were lost or the record' if ends else _LOST} belongs to another moment of the run"
    )


class Membership:
    """The agents of a run.

    Parameters
    ----------
    dag : Graph
        Whose edges are to be confirmed.
    experiment : str
        Digest of the experiment; agents with a checkpoint of another one are rejected.
    numerics : str
        Fingerprint of the coordinator's floating point; hosts that differ are rejected.
    admission : Admission, optional
        Which key belongs to which agent, where there is security.
    """

    def __init__(
        self, dag: Graph, experiment: str, numerics: str, admission: Admission | None = None
    ) -> None:
        self._dag = dag
        self._experiment = experiment
        self._numerics = numerics
        self._admission = admission
        self.members: dict[int, Member] = {}
        self._confirmed: dict[int, EdgesConfirmed] = {}

    @property
    def absent(self) -> list[int]:
        """Agents that have not greeted yet."""
        return [agent for agent in range(self._dag.agents) if agent not in self.members]

    @property
    def complete(self) -> bool:
        """Whether every agent has greeted."""
        return len(self.members) == self._dag.agents

    def greet(
        self, envelope: Envelope, hello: Hello, origin: str, now: float, key: str = ""
    ) -> "int | Reject":
        """Take in a Hello; return the agent's id, or why it is rejected.

        The member is new, or replaced, exactly if its incarnation changed.
        """
        if common_version(hello.versions) is None:
            spoken = " or ".join(map(str, PROTOCOL_VERSIONS))
            theirs = ", ".join(map(str, hello.versions)) or "none"
            return Reject("version", f"protocol version {spoken}", theirs)
        agent = self.identify(hello.agent, origin, key)
        if isinstance(agent, Reject):
            return agent
        if hello.experiment not in ("", self._experiment):
            return Reject("experiment", self._experiment, hello.experiment)
        if hello.numerics != self._numerics:
            return Reject(
                "numerics", f"floating point {self._numerics} as on the coordinator's host", hello.numerics
            )
        known = self.members.get(agent)
        if known is not None and envelope.incarnation < known.incarnation:
            return Reject("incarnation", f"{known.incarnation} or later", str(envelope.incarnation))
        if known is not None and envelope.incarnation == known.incarnation:
            if known.route != origin:
                return Reject(
                    "incarnation", f"one process of incarnation {known.incarnation}", "a second one"
                )
            known.heard_at = now
            return agent
        held = hello.held or (0,)
        self.members[agent] = Member(envelope.incarnation, origin, hello.endpoint, max(held), held, now)
        return agent

    def base(self, restarts: bool = False, recorded: int | None = None) -> int:
        """Return the round the run goes on with: that of the newest theta that everybody holds.

        Parameters
        ----------
        restarts : bool
            Whether it is 0 where there is none: theta_0 follows from the experiment.
        recorded : int, optional
            As of :func:`common_round`.

        Raises
        ------
        OrderViolation
            If there is none.
        """
        held = [{*member.held, member.latest} for _, member in sorted(self.members.items())]
        try:
            return common_round(held, recorded)
        except OrderViolation:
            if restarts:
                return 0
            raise

    def neighbours(self) -> dict[int, Neighbour]:
        """Return the links of the coordinator in a new epoch, and forget the edges of the old one."""
        self._confirmed = {}
        return {
            agent: Neighbour(member.incarnation, member.route)
            for agent, member in sorted(self.members.items())
        }

    def roster(self, agent: int) -> Roster:
        """Return what one agent must know of its neighbours, and no more."""
        members = self.members
        parents = tuple((parent, members[parent].incarnation) for parent in self._dag.parents[agent])
        children = tuple(
            (child, members[child].incarnation, members[child].endpoint)
            for child in self._dag.children[agent]
        )
        parent_keys, child_keys = self._keys(self._dag.parents[agent]), self._keys(self._dag.children[agent])
        return Roster(parents, children, parent_keys, child_keys)

    def _keys(self, agents: tuple[int, ...]) -> tuple[str, ...]:
        return () if self._admission is None else tuple(self._admission.key_of(agent) for agent in agents)

    def confirm(self, agent: int, edges: EdgesConfirmed) -> bool:
        """Note the edges an agent has confirmed; return True when every edge was confirmed from both ends.

        Raises
        ------
        OrderViolation
            If an agent confirms other edges than the DAG gives it.
        """
        expected = (self._dag.parents[agent], self._dag.children[agent])
        if (edges.parents, edges.children) != expected:
            raise OrderViolation(
                f"agent {agent} confirmed parents {edges.parents} and children {edges.children}, "
                f"expected {expected[0]} and {expected[1]}"
            )
        self._confirmed[agent] = edges
        return len(self._confirmed) == self._dag.agents

    @property
    def confirmed(self) -> int:
        """How many agents have confirmed their edges in this epoch."""
        return len(self._confirmed)

    def unconfirmed(self) -> list[int]:
        """Return the agents whose edges are not all confirmed."""
        return [agent for agent in range(self._dag.agents) if agent not in self._confirmed]

    def identify(self, agent: int, origin: str, key: str) -> "int | Reject":
        """Return who somebody is that calls itself `agent`, or why it cannot be that one."""
        last = self._dag.agents - 1
        owned = frozenset[int]()
        if self._admission is not None:
            owner = self._admission.owner(key)
            if owner is not None and owner != UNASSIGNED:
                if agent not in (UNASSIGNED, owner):
                    expected = f"the Hello of {name(owner)}, who owns the key"
                    return Reject("key", expected, f"that of {name(agent)}")
                agent = owner
            else:
                owned = frozenset(self._admission.owners.values())
                if agent in owned:
                    return Reject("key", f"the key of {name(agent)}", "another key")
        if agent != UNASSIGNED:
            if 0 <= agent <= last:
                return agent
            return Reject("agent", f"an id in 0..{last}", str(agent))
        for agent, member in self.members.items():
            if member.route == origin:
                return agent
        absent = [agent for agent in self.absent if agent not in owned]
        return absent[0] if absent else Reject("full", f"{self._dag.agents} agents", "one more")
