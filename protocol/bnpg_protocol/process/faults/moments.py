"""Moments in the life of a process at which a plan can strike.

============ ===========================================================================
phase        the moment
============ ===========================================================================
joining      a roster arrived: edges are about to be greeted
states       states arrived, the agent has not acted on them yet
sending      an action went out, to the first child or to the coordinator, not yet to all
signal       a signal arrived, update (3) has not been applied yet
storing      in the midst of writing the checkpoint
stored       the checkpoint is written, `SignalApplied` has not gone out yet
announcing   the coordinator announced states to the first agent, not yet to all
recorded     the coordinator recorded a round's line, its signal has not gone out yet
signalling   the coordinator sent the signal to the first agent, not yet to all
concluded    the coordinator wrote its last word: the run is over, nobody has completed its files yet
============ ===========================================================================
"""

from typing import NamedTuple

from bnpg_protocol.wire.effects import Effect, Transmit
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.messages import (
    ActionsChosen,
    FlowBroadcast,
    Message,
    Roster,
    SignalBroadcast,
    StatesAnnounced,
)


class Moment(NamedTuple):
    """A phase, with round and step where they make sense."""

    phase: str
    round: int | None = None
    step: int | None = None


def of_arrival(envelope: Envelope) -> Moment | None:
    """Return the moment just before an envelope is handled."""
    match envelope.message:
        case Roster():
            return Moment("joining")
        case StatesAnnounced(round=round_, step=step):
            return Moment("states", round_, step)
        case SignalBroadcast(round=round_) | FlowBroadcast(round=round_):
            return Moment("signal", round_)
        case _:
            return None


def before_effect(effect: Effect) -> Moment | None:
    """Return the moment in the midst of carrying out an effect."""
    return None if effect.midst is None else Moment(effect.midst, effect.of_round)


def after_effect(effect: Effect) -> Moment | None:
    """Return the moment just after an effect was carried out."""
    if isinstance(effect, Transmit):
        match effect.envelope.message:
            case ActionsChosen(round=round_, step=step):
                return Moment("sending", round_, step)
            case StatesAnnounced(round=round_, step=step):
                return Moment("announcing", round_, step)
            case SignalBroadcast(round=round_) | FlowBroadcast(round=round_):
                return Moment("signalling", round_)
            case _:
                return None
    return None if effect.moment is None else Moment(effect.moment, effect.of_round)


def round_of(message: Message) -> int | None:
    """Return the round a message belongs to, or None."""
    round_: int | None = getattr(message, "round", None)
    return round_
