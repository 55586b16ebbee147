"""What travels with every message."""

from msgspec import Struct

from bnpg_protocol.wire.messages import Message


class Envelope(Struct, frozen=True, gc=False):
    """A message with its sender, its place in the order and the epoch it belongs to."""

    run: str
    """Identity of the run; frames of another run are refused."""
    generation: int
    """Start count of the coordinator this envelope belongs to; 0 before the first Welcome."""
    epoch: int
    """Membership epoch within the generation; 0 outside any epoch."""
    sender: int
    incarnation: int
    """Start count of the sending process."""
    seq: int
    """Place on the link, from 1 in every epoch; 0 outside the order."""
    ack: int
    """Everything up to this place of the reverse direction was received."""
    lamport: int
    message: Message
