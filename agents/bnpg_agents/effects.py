"""What an agent asks its shell to do, beside what every process asks."""

from bnpg_protocol.wire.effects import Effect

from bnpg_agents.snapshot import Snapshot


class Store(Effect, frozen=True):
    """Make theta_round durable before any later effect is carried out; keep the one before it too."""

    round: int
    snapshot: Snapshot


class Adopt(Effect, frozen=True):
    """Remember which agent of which experiment this process is, before any later effect is carried out."""

    agent: int
    experiment: str
