"""What the coordinator process starts with."""

from bnpg_protocol.process.security.admission import Admission
from msgspec import Struct

from bnpg_coordinator.critic_state import CriticState
from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.line import Line
from bnpg_coordinator.sealed_checkpoints import Kept
from bnpg_coordinator.worlds.interface import World
from bnpg_math.arrays import FloatArray
from bnpg_math.dag import Dag
from bnpg_math.errors import InputError
from bnpg_math.games.game import Game
from bnpg_math.learning.regularization import Regularization


class CoordinatorSetup(Struct, frozen=True):
    """One life of the coordinator of a run.

    Raises
    ------
    InputError
        If something is asked for that needs a world with a model, and this one has none.
    """

    run: str
    """Identity of the run."""
    generation: int
    """Start count of the coordinator; larger than that of any earlier one of this run."""
    experiment: Experiment
    digest: str
    """Digest of all that decides the result."""
    world: World
    dag: Dag
    learning_rate: float
    initial: tuple[FloatArray, ...]
    """Given theta_0, in agent order; empty for `zeros` and `normal`."""
    numerics: str
    patience: float = 120.0
    """Seconds without any progress after which the run is given up, naming whom it waited for."""
    relay: bool = False
    """Whether agents hand on what they heard, so that fewer links are needed."""
    restarts: bool = False
    """Whether the run begins again at round 0 when an agent's state folder was lost."""
    largest_sealed: int = 0
    """Bytes that a sealed checkpoint of an agent may have; 0: none is kept."""
    sealed: Kept = {}
    """What is kept from earlier lives."""
    recorded: tuple[Line, ...] = ()
    """The run record of earlier lives, if a round needs to know of those before it."""
    reached: int | None = None
    """Rounds of which earlier lives left a line; None where no record is looked at."""
    critics: dict[int, CriticState] = {}
    """What earlier lives stored of the critic, by round, if there is one."""
    admission: Admission | None = None
    """Which key belongs to which agent, where there is security."""

    def __post_init__(self) -> None:
        experiment = self.experiment
        needs = {
            "mode exact": experiment.mode == "exact",
            "evaluate-every": bool(experiment.evaluate_every),
            "stop-at-epsilon": bool(experiment.stop_at_epsilon),
        }
        asked = [name for name, wanted in needs.items() if wanted]
        if asked and self.world.model is None:
            raise InputError(f"{asked[0]} needs a world whose model is known, and this one has none")

    @property
    def weights(self) -> Regularization:
        """What the agents take for lambda."""
        return self.experiment.weights(self.dag, self.world.actions)

    @property
    def game(self) -> Game:
        """The model of the world, where there is one."""
        assert self.world.model is not None, "checked when this was made"
        return self.world.model
