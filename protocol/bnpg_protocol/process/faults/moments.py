"""Moments in the life of a process at which a plan can strike.

============ ===========================================================================
phase        the moment
============ ===========================================================================
greeting     an agent is about to say `Hello`, for the first time or again
welcomed     a `Welcome` arrived, the agent has not taken it in yet
adopting     an agent is about to write down who it is
joining      a roster arrived: edges are about to be greeted
states       states arrived, the agent has not acted on them yet
sending      an action went out, to the first child or to the coordinator, not yet to all
signal       a signal arrived, update (3) has not been applied yet
storing      in the midst of writing the checkpoint
stored       the checkpoint is written, `SignalApplied` has not gone out yet
greeted      a `Hello` arrived, the coordinator has not taken it in yet
rewinding    the coordinator is about to drop the lines of rounds that are played again
announcing   the coordinator announced states to the first agent, not yet to all
recorded     the coordinator recorded a round's line, its signal has not gone out yet
signalling   the coordinator sent the signal to the first agent, not yet to all
gathering    the coordinator is about to write the policy that it gathered
concluding   the coordinator is about to write its last word
concluded    the coordinator wrote its last word: the run is over, nobody has completed its files yet
leaving      all was said and done, the process is about to end by itself
============ ===========================================================================
"""

from typing import NamedTuple

from bnpg_protocol.wire.effects import Effect, Transmit
from bnpg_protocol.wire.envelope import Envelope
from bnpg_protocol.wire.messages import (
    ActionsAttested,
    ActionsChosen,
    ActionsRelayed,
    FlowBroadcast,
    Hello,
    Message,
    ObservationsAnnounced,
    Roster,
    SignalBroadcast,
    StatesAnnounced,
    Welcome,
)


class Moment(NamedTuple):
    """A phase, with round and turn where they make sense."""

    phase: str
    round: int | None = None
    turn: int | None = None


def of_arrival(envelope: Envelope) -> Moment | None:
    """Return the moment just before an envelope is handled."""
    match envelope.message:
        case Hello():
            return Moment("greeted")
        case Welcome():
            return Moment("welcomed")
        case Roster():
            return Moment("joining")
        case StatesAnnounced(round=round_, turn=turn) | ObservationsAnnounced(round=round_, turn=turn):
            return Moment("states", round_, turn)
        case SignalBroadcast(round=round_) | FlowBroadcast(round=round_):
            return Moment("signal", round_)
        case _:
            return None


def before_effect(effect: Effect) -> Moment | None:
    """Return the moment in the midst of carrying out an effect."""
    if isinstance(effect, Transmit):
        return Moment("greeting") if isinstance(effect.envelope.message, Hello) else None
    return None if effect.midst is None else Moment(effect.midst, effect.of_round)


def after_effect(effect: Effect) -> Moment | None:
    """Return the moment just after an effect was carried out."""
    if isinstance(effect, Transmit):
        match effect.envelope.message:
            case (
                ActionsChosen(round=round_, turn=turn)
                | ActionsRelayed(round=round_, turn=turn)
                | ActionsAttested(round=round_, turn=turn)
            ):
                return Moment("sending", round_, turn)
            case StatesAnnounced(round=round_, turn=turn) | ObservationsAnnounced(round=round_, turn=turn):
                return Moment("announcing", round_, turn)
            case SignalBroadcast(round=round_) | FlowBroadcast(round=round_):
                return Moment("signalling", round_)
            case _:
                return None
    return None if effect.moment is None else Moment(effect.moment, effect.of_round)


def round_of(message: Message) -> int | None:
    """Return the round a message belongs to, or None."""
    round_: int | None = getattr(message, "round", None)
    return round_
