"""Carrying out what only the coordinator asks for, in whichever process it lives."""

from collections.abc import Callable
from typing import Any

from bnpg_protocol.wire.effects import Effect, Log

from bnpg_coordinator.critic_state import CriticState
from bnpg_coordinator.effects import (
    Bind,
    Conclude,
    DropSealed,
    Gathered,
    KeepCritic,
    KeepSealed,
    Record,
    Rewind,
    SyncRecord,
)
from bnpg_coordinator.line import Line
from bnpg_coordinator.networks import joint_policy
from bnpg_coordinator.run_record import RunRecord
from bnpg_coordinator.setup import CoordinatorSetup


def effect_performer(
    record: RunRecord,
    setup: CoordinatorSetup,
    write_log: Callable[[str, str, dict[str, Any]], None],
    on_line: Callable[[Line], object] | None = None,
    keep_critic: Callable[[int, CriticState], None] | None = None,
) -> Callable[[Effect], None]:
    """Return what carries out the coordinator's own effects.

    Parameters
    ----------
    record : RunRecord
        Where it writes.
    setup : CoordinatorSetup
        Says what the agents hand over.
    write_log
        Called with (level, event, fields).
    on_line
        Called with every line of the record as it is written.
    keep_critic
        Keeps the critic of a round; left out, it is written beside the record.
    """

    def perform(effect: Effect) -> None:
        match effect:
            case Record(line=line):
                written = record.append(line)
                if on_line is not None:
                    on_line(written)
            case SyncRecord():
                record.sync()
            case KeepCritic(round=round_, state=state):
                (keep_critic or record.write_critic)(round_, state)
            case Rewind(round=round_):
                record.rewind(round_)
            case Gathered(thetas=thetas):
                kind = setup.experiment.kind
                record.write_policy(joint_policy(kind, setup.world, setup.dag, thetas))
            case Conclude() as word:
                metrics = word.metrics | ({"theta_digests": list(word.digests)} if word.digests else {})
                record.conclude(word.state, word.why, word.rounds, metrics | setup.experiment.aim)
            case KeepSealed(agent=agent, round=round_, sealed=sealed):
                record.sealed.write(agent, round_, sealed)
            case DropSealed(agent=agent, round=round_):
                record.sealed.drop(agent, round_)
            case Bind(owners=owners):
                record.write_bindings(owners)
            case Log(level=level, event=event, fields=fields):
                write_log(level, event, fields)
            case _:
                raise AssertionError(effect)

    return perform
