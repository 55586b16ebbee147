"""What an agent process starts with."""

from msgspec import Struct

from bnpg_agents.local_policy import MakePolicy, local_policy
from bnpg_agents.sealing import Seal
from bnpg_agents.snapshot import Snapshot


class AgentSetup(Struct, frozen=True):
    """What an agent process knows of itself before it has heard anything."""

    agent: int
    """Its id, or -2 to be given one."""
    incarnation: int
    """Start count of the process; larger than that of any earlier process of this agent."""
    endpoint: str
    """Where parents reach its inbox."""
    numerics: str
    """Fingerprint of this host's floating point."""
    held: dict[int, Snapshot]
    """What its checkpoint holds of the newest rounds."""
    experiment: str = ""
    """Digest of the experiment of the checkpoint; empty for a newcomer."""
    patience: float = 600.0
    """Seconds without any progress after which the agent gives up, naming whom it waited for."""
    spare: bool = False
    """Whether an agent without an id waits when the run has all it needs, instead of ending."""
    seal: Seal | None = None
    """With what checkpoints are sealed, for the coordinator to keep; None if they are not."""
    sealed_from: int = 0
    """Of which round the newest of those that come back must be, at least."""
    policy: MakePolicy = local_policy
    """Returns the policy at theta_0 that a Welcome asks for."""
