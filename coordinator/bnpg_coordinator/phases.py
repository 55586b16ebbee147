"""The phases of the coordinator as a table. A `Hello` of a new incarnation leads back to *edges*."""

from bnpg_protocol.process.phases import Phase, Phases, Rule
from bnpg_protocol.wire.messages import (
    ActionsAttested,
    ActionsChosen,
    CheckpointSealed,
    CheckpointsRequested,
    EdgesConfirmed,
    Farewell,
    Hello,
    Message,
    SignalApplied,
    TableShown,
    ThetaShown,
    UpdateReported,
)

_JOINING: dict[type[Message], Rule] = {
    Hello: Rule("agent", "_hello", ("edges",)),
    CheckpointsRequested: Rule("agent", "_return"),
}
_ROUNDS: dict[type[Message], Rule] = {
    ActionsChosen: Rule("agent", "_answered", ("closing", "ending")),
    ActionsAttested: Rule("agent", "_answered", ("closing", "ending")),
    TableShown: Rule("agent", "_answered", ("closing", "ending")),
    UpdateReported: Rule("agent", "_answered", ("closing", "ending")),
    SignalApplied: Rule("agent", "_applied", ("closing", "ending")),
    CheckpointSealed: Rule("agent", "_keep"),
}

PHASES: Phases = {
    "gathering": Phase("Waiting for the `Hello` of every agent.", _JOINING, ("ending",)),
    "edges": Phase(
        "A new epoch: the roster is out, every edge is to be confirmed from both ends.",
        {**_JOINING, EdgesConfirmed: Rule("agent", "_confirmed", ("running", "closing", "ending"))},
        ("ending",),
    ),
    "running": Phase(
        "Round by round: tables, turns, signal.",
        {**_JOINING, **_ROUNDS},
        ("ending",),
    ),
    "closing": Phase(
        "All rounds are done: thetas on request.",
        {**_JOINING, **_ROUNDS, ThetaShown: Rule("agent", "_gather", ("ending",))},
        ("ending",),
    ),
    "ending": Phase(
        "`Finish` is out; waiting for the farewells.",
        {
            Hello: Rule("agent", "_too_late"),
            CheckpointsRequested: Rule("agent", "_too_late"),
            Farewell: Rule("agent", "_farewell", ("ended",)),
        },
        ("ended",),
    ),
    "ended": Phase("Nothing more comes.", {}),
}
