"""The messages of a run, as facts.

Joining: `Hello` → `Welcome` or `Reject` → `Roster` → per edge `EdgeHello` and `EdgeWelcome` →
`EdgesConfirmed` from both ends → `Start`. An agent that seals its checkpoints and lost them asks first:
`CheckpointsRequested` → `CheckpointsReturned`.
A round, sampled: `StatesAnnounced` or `ObservationsAnnounced` → `ActionsChosen` (to children and coordinator)
→ .. → `SignalBroadcast` → (`UpdateReported`) → `SignalApplied`; with a relay `ActionsRelayed` (to children)
and `ActionsAttested` (to the coordinator) instead of `ActionsChosen`. A round, exact: `FlowBroadcast` →
`SignalApplied`, which shows the next table; `TableShown` after a `Start`. Where checkpoints are sealed,
`CheckpointSealed` comes before `SignalApplied`.
The end: `ThetaRequested` → `ThetaShown` (only when asked for) → `Finish` → `Farewell`.
Outside the order (never sequenced): `Hello`, `Welcome`, `Reject`, `Summons`, `CheckpointsRequested`,
`CheckpointsReturned`, `Beacon`, `Failed`, `Acknowledgement`, `GapFound`.

Every message is frozen; arrays are read-only once sent or received.
"""

import sys
from typing import Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta, Struct, field
from numpy.typing import NDArray


class Tensor:
    """Annotation of an array field: the dtypes and number of axes it may have on the wire."""

    def __init__(self, *dtypes: str, axes: int | None = 1) -> None:
        self.dtypes = {code: np.dtype(code) for code in dtypes}
        self.axes = axes


LARGEST_COUNT = 2**63 - 1
"""Of what is counted, on the wire: one more than it can still be written."""
Count = Annotated[int, Meta(ge=0, le=LARGEST_COUNT)]
PHASE = r"\A[a-z ]{1,20}\Z"
"""What a phase may be called: people read it in a terminal, and a peer writes it."""
LONGEST_ENDPOINT = 512
"""Characters: a roster has one of every child, and must fit into a header."""
Endpoint = Annotated[str, Meta(max_length=LONGEST_ENDPOINT)]
Phase = Annotated[str, Meta(pattern=PHASE)]
Lane = Annotated[int, Meta(ge=0, le=LARGEST_COUNT, multiple_of=4)]
Positive = Annotated[float, Meta(gt=0, le=sys.float_info.max)]
NotNegative = Annotated[float, Meta(ge=0, le=sys.float_info.max)]
States = Annotated[NDArray[np.integer[Any]], Tensor("|u1", "<u2", "<u4")]
Actions = Annotated[NDArray[np.integer[Any]], Tensor("|u1", "<u2")]
ActionRows = Annotated[NDArray[np.integer[Any]], Tensor("|u1", "<u2", axes=2)]
Digests = Annotated[NDArray[np.uint8], Tensor("|u1")]
Carried = tuple[tuple[Count, tuple[Count, ...]], ...]
"""Pairs: the agent at the other end of a link, and whose actions the link carries, ascending."""
Observations = Annotated[NDArray[Any], Tensor("|u1", "<u2", "<u4", "<f4", axes=None)]
Mask = Annotated[NDArray[np.uint8], Tensor("|u1", axes=2)]
Flags = Annotated[NDArray[np.uint8], Tensor("|u1")]
Sealed = Annotated[NDArray[np.uint8], Tensor("|u1")]
Weights = Annotated[NDArray[np.float64], Tensor("<f8")]
Table = Annotated[NDArray[np.float64], Tensor("<f8", axes=None)]
Share = Annotated[float, Meta(ge=0, le=1)]


def _empty() -> NDArray[np.float64]:
    table = np.zeros(0)
    table.flags.writeable = False
    return table


class Message(Struct, frozen=True, gc=False):
    """Base of all messages."""

    sequenced: ClassVar[bool] = True


class Unsequenced(Message, frozen=True):
    """A message outside the ordered links: idempotent, repeated until it has had its effect."""

    sequenced: ClassVar[bool] = False


# Joining


class Hello(Unsequenced, frozen=True):
    """An agent asks to take part. `agent` is -2 if it has no id yet."""

    versions: tuple[int, ...]
    agent: int
    endpoint: Endpoint
    held: tuple[Count, ...]
    """Rounds r whose theta_r the agent holds, ascending; empty for a newcomer."""
    experiment: str
    """Digest of the experiment those thetas belong to; empty for a newcomer."""
    numerics: str
    """Fingerprint of the host's floating point."""


class Welcome(Unsequenced, frozen=True):
    """The coordinator takes an agent in and tells it all it needs to know."""

    version: Count
    agent: Count
    experiment: str
    mode: str
    states: Count
    """How many states the agent may see; 0 if it sees numbers."""
    actions: Count
    parents: tuple[Count, ...]
    parent_actions: tuple[Count, ...]
    children: tuple[Count, ...]
    rounds: Count
    seed: Count
    learning_rate: Positive
    regularization: NotNegative
    initial: str
    """How theta_0 comes about: `zeros`, `normal` or `given` (then in `theta`)."""
    theta: Table
    policy: str = "table"
    """Which kind of local policy the agent has, as the experiment names it."""
    width: Count = 0
    """How many numbers the agent sees in a lane; 0 if it sees a state."""
    update: str = "gradient"
    """What the agent does with a sampled signal: `gradient`, update (3) by weights; `a2c` or `ppo`, by
    advantages, with Adam."""
    epochs: Count = 1
    """Passes of `ppo` through a round."""
    minibatches: Count = 1
    """Parts of the rows of a pass, a step each."""
    clip: Positive = 0.2
    """How far `ppo` lets the ratio of probabilities go from 1."""
    entropy: NotNegative = 0.0
    """Weight of the entropy in `a2c` and `ppo`."""
    longest: NotNegative = 0.0
    """Length to which their gradients are shortened; 0 is any."""
    optimizer: str = "ascent"
    """What takes a sampled step along the gradient: `ascent`, update (3), `adam`, `natural`, `normalised`."""
    schedule: str = "constant"
    """How the step size goes over the rounds of sampled mode: `constant`, or `linear` down to 0."""
    epsilon: NotNegative = 0.0
    """Of Adam, in the unit of gradients; 0 where it takes no step."""
    relay: bool = False
    """Whether actions are handed on: then only links in `hears` and `hands` are there."""
    hears: Carried = ()
    """With a relay: the parents that send to the agent directly, and whose actions each of them sends."""
    hands: Carried = ()
    """With a relay: the children it sends to directly, and whose actions it sends to each."""


class Reject(Unsequenced, frozen=True):
    """The coordinator does not take an agent in, and says why."""

    code: str
    expected: str
    got: str


class Summons(Unsequenced, frozen=True):
    """A coordinator of a newer generation asks an agent to greet again."""


class CheckpointsRequested(Unsequenced, frozen=True):
    """An agent whose folder is empty asks for the sealed checkpoints that are kept of it."""

    agent: Count


class CheckpointsReturned(Unsequenced, frozen=True):
    """What the coordinator keeps of an agent, which it cannot read."""

    agent: Count
    incarnation: Count
    """The latest life of the agent that has greeted this coordinator; 0 if none has."""
    rounds: tuple[Count, ...]
    """Of which thetas, ascending; empty if nothing is kept."""
    sizes: tuple[Count, ...]
    """Bytes of each."""
    sealed: Sealed
    """One behind the other."""


class Roster(Message, frozen=True):
    """A new epoch: the neighbours of the receiving agent, with their incarnations and endpoints."""

    parents: tuple[tuple[Count, Count], ...]
    """(agent, incarnation) of every parent."""
    children: tuple[tuple[Count, Count, str], ...]
    """(agent, incarnation, endpoint) of every child."""
    parent_keys: tuple[str, ...] = ()
    """Public key of every parent, in their order; empty where there is no security."""
    child_keys: tuple[str, ...] = ()
    """Public key of every child, in their order; empty where there is no security."""


class EdgeHello(Message, frozen=True):
    """A parent greets a child over their edge."""


class EdgeWelcome(Message, frozen=True):
    """A child answers a parent over their edge."""


class EdgesConfirmed(Message, frozen=True):
    """An agent has confirmed all its edges, as child and as parent."""

    parents: tuple[Count, ...]
    children: tuple[Count, ...]


class Start(Message, frozen=True):
    """Every edge was confirmed from both ends: the rounds go on with `round`."""

    round: Count


# A round


class StatesAnnounced(Message, frozen=True):
    """The states of some living lanes: one *turn* of the round.

    The lanes of a round are stepped in parts, so that agents, environment and messages overlap. Turns are
    numbered through the round in the order they are announced, by time and then by part.
    """

    round: Count
    turn: Count
    """Number of the turn in the round."""
    time: Count
    """Steps the lanes have made; the number of the turn, where the lanes are not parted."""
    lane: Lane
    """First of the lanes."""
    states: States


class ObservationsAnnounced(Message, frozen=True):
    """What one agent alone sees in some living lanes, in one turn: instead of `StatesAnnounced`.

    It goes to every agent with its own content, where agents see different things, where actions are
    forbidden, or where some agents take no part.
    """

    round: Count
    turn: Count
    time: Count
    lane: Lane
    observations: Observations
    """(n,) states of the agent's own, or (n, D) float32."""
    available: Mask
    """(n, A): 1 for the actions the agent may take; (0, 0) if it may take all."""
    alive: Flags
    """(n,): 0 where the agent takes no part; empty if it takes part everywhere."""


class ActionsChosen(Message, frozen=True):
    """The sender's actions in all lanes of a turn; 0 where it takes no part."""

    round: Count
    turn: Count
    actions: Actions


class ActionsRelayed(Message, frozen=True):
    """With a relay, to a child: the actions of all agents that this link carries, in all lanes of a turn."""

    round: Count
    turn: Count
    actions: ActionRows
    """(agents, lanes), a row for every agent of the link, ascending."""


class ActionsAttested(Message, frozen=True):
    """With a relay, to the coordinator: the sender's actions, and digests of what it acted on."""

    round: Count
    turn: Count
    actions: Actions
    digests: Digests
    """One behind the other, of every agent that it hears directly, ascending: `rows.RowsDigest` over all that
    the agent acted on of it in the turns of the round so far."""


class SignalBroadcast(Message, frozen=True):
    """The shared signal of a sampled round: a weight for every (turn, lane), turn by turn.

    For `a2c` and `ppo` the weights are advantages.
    """

    round: Count
    weights: Weights


class TableRequested(Message, frozen=True):
    """The coordinator asks for the conditional probability tables of theta_round."""

    round: Count


class TableShown(Message, frozen=True):
    """An agent's conditional table of theta_round: the logarithms of its probabilities.

    Of a `direct` policy, which may hold zeros, the probabilities themselves, which are its theta.
    """

    round: Count
    table: Table


class FlowBroadcast(Message, frozen=True):
    """The shared gradient signal of an exact round: W(s, a) = d(s) pi(a|s) Q(s, a).

    For the natural gradient, the advantages of all agents instead, side by side; for `direct` policies
    dV/dpi^i. The other fields say how it is followed, if not by update (3) with the step size of the Welcome.
    """

    round: Count
    flow: Table
    occupancy: Table = field(default_factory=_empty)
    """d(s) pi(aP, ai|s), side by side too, for the natural gradient; empty for the gradient."""
    step_size: NotNegative = 0.0
    """eta of this round; 0 is that of the Welcome."""
    momentum: Share = 0.0
    """How far theta is extrapolated, along the way since the point it was last extrapolated from."""
    retreat: bool = False
    """Whether to go back to that point instead."""
    starts: tuple[Count, ...] = ()
    """Where the columns of every agent begin in what is side by side."""


class CheckpointSealed(Message, frozen=True):
    """What the agent holds of `round`, sealed for itself: to be durable before anything behind it counts."""

    round: Count
    sealed: Sealed


class SignalApplied(Message, frozen=True):
    """Update (3) of `round` is applied and durable; `digest` is that of theta_{round+1}.

    In an exact round it shows the table of theta_{round+1} too, as `TableShown` does after a `Start`.
    """

    round: Count
    digest: str
    table: Table = field(default_factory=_empty)
    """Empty in a sampled round."""


class UpdateReported(Message, frozen=True):
    """How update `round` of `a2c` or `ppo` went: said before `SignalApplied`, and again after a `Start`."""

    round: Count
    kl: float
    """Estimate of KL(old || new), a mean over the passes, as the other two."""
    clipped: float
    """Share of the rows whose ratio lay outside of the clip."""
    entropy: float
    """Of the policy, in nats."""


# The end


class ThetaRequested(Message, frozen=True):
    """The person asked for the policy: the coordinator gathers it."""


class ThetaShown(Message, frozen=True):
    """An agent hands over its theta, on request only."""

    round: Count
    theta: Table


class Finish(Message, frozen=True):
    """The run ends here for everybody."""

    reason: str
    code: Count = 0
    """Exit code of the run: 0 if it is done, anything else if it was broken off and may go on another day."""


class Farewell(Message, frozen=True):
    """The agent's last word."""


# Outside the order


class Beacon(Unsequenced, frozen=True):
    """A sign of life from the work loop, with how far the work has come."""

    phase: Phase
    round: Count
    turn: Count
    lacks: tuple[int, ...]
    """Peers whose message the agent waits for; -1 is the coordinator."""


class Failed(Unsequenced, frozen=True):
    """A process cannot go on, and says why."""

    code: Count
    why: str


class Acknowledgement(Unsequenced, frozen=True):
    """Nothing but the acknowledgement in the envelope."""


class GapFound(Unsequenced, frozen=True):
    """The receiver misses the messages first..last of this link."""

    first: Count
    last: Count


KINDS: dict[str, type[Message]] = {
    kind.__name__: kind
    for base in (Message, Unsequenced)
    for kind in base.__subclasses__()
    if kind is not Unsequenced
}
