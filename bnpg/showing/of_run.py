"""Episodes of the policy that a run came to."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from bnpg_coordinator.environments.opening import PEERS
from bnpg_coordinator.simulator import OpenedSimulator, open_simulator

from bnpg.edges.of_run import latest_policy
from bnpg.evaluation.played import Scores, scores_of_networks, scores_of_tables
from bnpg.report.recorded_run import RecordedRun
from bnpg.showing.episode import ShownTurn, turns
from bnpg_math.errors import InputError
from bnpg_math.policies.interface import Policy
from bnpg_math.policies.network_file import NetworkTeam
from bnpg_math.policies.tabular import TabularSoftmax

STEPS = 100
"""Steps after which an episode is cut, unless it ends or another number is asked for."""
ITS_OWN = "render_mode=rgb_array"
"""What an environment is made with to draw itself."""


class Showing:
    """Where episodes of a run are played.

    Parameters
    ----------
    recorded : RecordedRun
    drawn : bool
        Whether the world should be able to draw itself, if it can.

    Raises
    ------
    InputError
        If the policy is not in the folder, or the world cannot be opened.
    """

    def __init__(self, recorded: RecordedRun, drawn: bool = False) -> None:
        self._recorded = recorded
        self._team, self._scores = _team(recorded)
        self.name = str(recorded.identity["game"])
        self.dag = recorded.dag
        opened = None if recorded.run.simulator is None else recorded.run.opened
        self._drawing = _drawing_itself(recorded) if drawn and opened is not None else None
        self.world = recorded.run.world if self._drawing is None else self._drawing.world

    @property
    def environment(self) -> Any:
        """What draws itself; None if nothing does."""
        instances = getattr(getattr(self._drawing, "unread", None), "instances", None)
        return instances[0] if instances and hasattr(instances[0], "render") else None

    def play(self, episode: int, steps: int, sampled: bool) -> Iterator[ShownTurn]:
        """Play one episode; see :func:`bnpg.showing.episode.turns`."""
        seed = self._recorded.experiment.seed
        return turns(self.world, self.dag, self._team, self._scores, seed, episode, steps, sampled)


def _team(recorded: RecordedRun) -> tuple[Sequence[Policy], Sequence[Scores]]:
    """Return everybody's policy after the last round that all have stored, and the scores of it."""
    latest = latest_policy(recorded)
    if isinstance(latest, NetworkTeam):
        networks = recorded.run.team(latest.parameters)
        return networks, scores_of_networks(networks)
    thetas = latest.thetas
    return [TabularSoftmax(theta) for theta in thetas], scores_of_tables(thetas)


def _drawing_itself(recorded: RecordedRun) -> OpenedSimulator | None:
    """Return the simulator made so that it draws itself; None if it cannot be made so."""
    experiment, settings = recorded.experiment, recorded.settings
    if not (experiment.game.startswith(PEERS) or ":" in experiment.game):
        return None
    world = ",".join(place for place in (experiment.world, ITS_OWN) if place)
    assert recorded.run.simulator is not None
    folder = type(recorded.folder)(recorded.run.simulator.folder)
    try:
        return open_simulator(msgspec.structs.replace(experiment, world=world), settings.patience, folder)
    except InputError:
        return None
