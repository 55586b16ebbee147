"""The phases of an agent as a table. A new `Roster` leads back to *edges*, a `Summons` back to *greeting*."""

from bnpg_protocol.process.phases import Phase, Phases, Rule
from bnpg_protocol.wire.messages import (
    ActionsChosen,
    ActionsRelayed,
    CheckpointsReturned,
    EdgeHello,
    EdgeWelcome,
    Finish,
    FlowBroadcast,
    Message,
    ObservationsAnnounced,
    Reject,
    Roster,
    SignalBroadcast,
    Start,
    StatesAnnounced,
    Summons,
    TableRequested,
    ThetaRequested,
    Welcome,
)

INVITATIONS: dict[type[Message], Rule] = {
    Welcome: Rule("coordinator", "_welcomed", ("welcomed",)),
    Reject: Rule("coordinator", "_rejected", ("finished",)),
    Summons: Rule("coordinator", "_summoned", ("greeting",)),
}
"""Outside the order, in every phase until the end: a coordinator takes the agent in, or does not."""
_EPOCH: dict[type[Message], Rule] = {
    # It leads to edges when it comes, and is delivered there; without neighbours nothing is left to confirm.
    Roster: Rule("coordinator", "_rostered", ("edges", "ready")),
    Finish: Rule("coordinator", "_finish", ("leaving",)),
}

PHASES: Phases = {
    "greeting": Phase(
        "`Hello` goes to the coordinator again and again until a `Welcome` came; before it, where "
        "checkpoints are sealed and the folder is empty, `CheckpointsRequested`.",
        {**INVITATIONS, CheckpointsReturned: Rule("coordinator", "_returned", ("finished",))},
        ("failing",),
    ),
    "welcomed": Phase(
        "Waiting for the `Roster`, which comes when every agent is there.",
        {**INVITATIONS, Roster: _EPOCH[Roster]},
        ("failing",),
    ),
    "edges": Phase(
        "Children are greeted, parents answered; when all edges are confirmed, the coordinator is told.",
        {
            **INVITATIONS,
            **_EPOCH,
            EdgeHello: Rule("parent", "_greeted", ("ready",)),
            EdgeWelcome: Rule("child", "_answered", ("ready",)),
        },
        ("failing",),
    ),
    "ready": Phase(
        "Waiting for `Start`. A parent that got its own may already send actions: they are kept.",
        {
            **INVITATIONS,
            **_EPOCH,
            Start: Rule("coordinator", "_start", ("running",)),
            ActionsChosen: Rule("parent", "_keep"),
            ActionsRelayed: Rule("parent", "_keep_rows"),
        },
        ("failing",),
    ),
    "running": Phase(
        "Round by round: act when the states and all parents' actions of a turn are there, apply the signal.",
        {
            **INVITATIONS,
            **_EPOCH,
            StatesAnnounced: Rule("coordinator", "_hear"),
            ObservationsAnnounced: Rule("coordinator", "_hear"),
            ActionsChosen: Rule("parent", "_hear"),
            ActionsRelayed: Rule("parent", "_hear_rows"),
            SignalBroadcast: Rule("coordinator", "_apply"),
            FlowBroadcast: Rule("coordinator", "_apply"),
            TableRequested: Rule("coordinator", "_show_table"),
            ThetaRequested: Rule("coordinator", "_show_theta"),
        },
        ("failing",),
    ),
    "failing": Phase(
        "Something is beyond repair: the coordinator is told until it ends the run.",
        {Finish: _EPOCH[Finish]},
    ),
    "leaving": Phase(
        "The coordinator ended the run; the farewell is out and is repeated until it is acknowledged.",
        {},
        ("finished", "failing"),
    ),
    "finished": Phase("Nothing more comes.", {}, ("failing",)),
}
