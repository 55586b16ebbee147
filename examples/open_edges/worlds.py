"""What is compared: worlds, how many edges may be open, and what the teams are trained with."""

from dataclasses import dataclass, fields

from bnpg_coordinator.experiment import Experiment
from bnpg_coordinator.worlds.bundled.aloha import Aloha
from bnpg_coordinator.worlds.bundled.assign import Assign
from bnpg_coordinator.worlds.bundled.coordination import Coordination
from bnpg_coordinator.worlds.bundled.relay import Relay
from bnpg_coordinator.worlds.simulated import SimulatedWorld, Simulator

from bnpg_math.dag import Dag, complete

DISCOUNT = Experiment(game="").discount
BY_STATE, BY_CHILD, TOLD = KINDS = "open by state", "open by child", "told, not heard"
"""Teams with edges that are open in some states only."""


@dataclass(frozen=True)
class Study:
    """Teams in one world.

    Parameters
    ----------
    simulator : Simulator
    dag : Dag
        The dense graph, whose order all others keep.
    budget : int
        How many of its edges may be open in a step: always the same ones, or on average.
    rounds, further : int
        Of the dense team, and of each that goes on from it.
    steps : int
        Of a round, which every lane makes.
    learning_rate, barrier : float
    measured : int
        Rounds in which sets of open edges are tried at random.
    judged : int
        Episodes that a team is judged by, which nobody was trained on.
    kinds : tuple of str
        Teams beside the dense one and the pruned one, of `KINDS`.
    """

    simulator: Simulator
    dag: Dag
    budget: int
    rounds: int
    further: int
    steps: int
    learning_rate: float = 0.01
    barrier: float = 0.002
    measured: int = 20
    judged: int = 4096
    kinds: tuple[str, ...] = KINDS

    @property
    def world(self) -> SimulatedWorld:
        """The simulator as what a team acts in."""
        return SimulatedWorld(self.simulator, DISCOUNT, self.steps)

    def settings(self, quick: bool) -> str:
        """Return all that the result of a seed depends on."""
        rest = [str(getattr(self, one.name)) for one in fields(self) if one.name != "simulator"]
        return repr((self.simulator.name, *rest, LANES, HIDDEN, EPOCHS, VALUED, quick))


LANES = 64
HIDDEN = (32, 32)
VALUED = 1024
"""Episodes by which the edges of the dense team are valued, for the pruned one."""
EPOCHS = 3
SEEDS = 8

_ALOHA = Aloha(agents=4)

STUDIES = {
    "assign": Study(Assign(), complete(4), 3, rounds=40, further=70, steps=5, measured=60, kinds=(BY_STATE,)),
    "relay": Study(Relay(), complete(4), 2, rounds=100, further=70, steps=4, measured=30),
    "coordination": Study(
        Coordination(), complete(3), 1, rounds=25, further=25, steps=25, measured=5, judged=256
    ),
    "aloha": Study(
        _ALOHA,
        Dag(4, _ALOHA.links),
        2,
        rounds=50,
        further=50,
        steps=20,
        barrier=0.01,
        measured=10,
        judged=256,
    ),
}
"""Every study, by name."""
