"""What one agent still gains on its own, found by training it alone: a lower bound of its Nash gap.

A best response gains at least what any policy does that was found, by whatever means; how much that is, is
measured over episodes that neither it nor the team was trained on, with and without it on the same luck.
The bound is statistical, and says nothing about what was not found: it is no certificate.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bnpg_coordinator.networks import encodings, theta_shape
from bnpg_protocol.process.passing_folder import passing_folder
from numpy.typing import NDArray

from bnpg.api.preparation import prepared
from bnpg.api.training import RunFailed, run_to_the_end
from bnpg.best_response import EPISODES, LANES, ROUNDS
from bnpg.best_response.one_agent import OneAgentWorld, View
from bnpg.edges.measuring import paired, span_of
from bnpg.edges.of_run import latest_policy, longest, trained
from bnpg.evaluation.effort import is_coverage_affordable
from bnpg.evaluation.episodes import Acts, Episodes, play_episodes, stream
from bnpg.evaluation.means import Estimate
from bnpg.evaluation.measure import measure
from bnpg.report.recorded_run import RecordedRun
from bnpg.run_folder import RunFolder
from bnpg_math.arrays import FloatArray, IntArray
from bnpg_math.errors import InputError
from bnpg_math.games.game import Game
from bnpg_math.policies.network import NetworkPolicy
from bnpg_math.policies.network_file import NetworkTeam
from bnpg_math.policies.tabular import TabularSoftmax

RESPONDING = 4
"""Stream of evaluation episodes by which responses are measured."""
NEGLIGIBLE = 0.01
"""Discount at which a round of a game without an end is cut while a response is trained."""
LONGEST = 1000
"""Steps after which it is cut in any case."""


@dataclass(frozen=True)
class Response:
    """What an agent gained."""

    agent: int
    gain: Estimate
    """Of the team's return, by the response that was found."""
    episodes: int
    rounds: int
    """For which it was trained."""
    exact: float | None
    """The agent's Nash gap, where the model is known and small enough."""
    reason: str = ""
    """Of what game the gap is one, where episodes were cut and nothing bounds what was not played."""

    @property
    def bound(self) -> float:
        """What the Nash gap is at least, in 39 of 40 cases; no gap is below 0."""
        return max(0.0, self.gain.low)


def best_response(
    recorded: RecordedRun, agent: int, rounds: int = ROUNDS, lanes: int = LANES, episodes: int = EPISODES
) -> Response:
    """Train one agent of a run alone against what the others came to, and measure what it gains.

    It begins with the uniform policy, as what is saturated learns nothing any more, and is measured by its
    most probable actions.

    Parameters
    ----------
    recorded : RecordedRun
    agent : int
    rounds, lanes : int
        For how long it is trained.
    episodes : int
        By which its gain is measured, rounded up to whole batches.

    Raises
    ------
    InputError
        If there is no such agent, or the policy is not in the folder.
    WorldFailed, RunFailed
    """
    dag, world, experiment = recorded.dag, recorded.run.world, recorded.experiment
    if not 0 <= agent < dag.agents:
        raise InputError(f"agent must be in 0..{dag.agents - 1}, got {agent}")
    team = trained(recorded, latest_policy(recorded)).team()
    view = _view(recorded, agent)
    alone = OneAgentWorld(world, dag, team, agent, view)
    played = recorded.run.simulator is not None
    settings: dict[str, Any] = {
        "rounds": rounds, "lanes": lanes, "steps": experiment.steps if played else _steps(world.gamma),
        "seed": experiment.seed, "discount": world.gamma, "launcher": "memory", "fsync": False,
    }  # fmt: skip
    with passing_folder("bnpg-response-") as folder:
        try:
            begun = prepared(None, settings | _learning(recorded), None, folder / "run", alone)
            run_to_the_end(begun.run, begun.settings, progress=False, on_line=None)
            found = _Greedy(view, _policy(begun.run))
        except RunFailed as failed:
            raise RunFailed(f"agent {agent} could not be trained: {failed.why}", failed.code, None) from None
    own = stream(experiment.seed, RESPONDING)
    responding: list[Acts] = [found if other == agent else policy for other, policy in enumerate(team)]
    before, after = measured = [
        play_episodes(world, dag, policies, own, episodes, longest(recorded))
        for policies in (team, responding)
    ]
    span = span_of([before.returns, after.returns], before.off + after.off, world.model)
    # What comes after the cut may be the best with one policy and the worst with the other.
    gain = paired(after, before, span).allowing(after.tail(world.model))
    return Response(
        agent, gain, after.returns.size, rounds, _exact(recorded, agent), _unplayed(measured, world.model)
    )


class _Greedy:
    """Takes the most probable action of what was learnt alone, of those it may take."""

    def __init__(self, view: View, policy: TabularSoftmax | NetworkPolicy) -> None:
        self._view, self._policy = view, policy

    def draw(
        self,
        seen: NDArray[Any],
        parents: Sequence[IntArray],
        uniforms: FloatArray,  # noqa: ARG002 (whoever draws needs them)
        legal: NDArray[np.uint8] | None = None,
    ) -> IntArray:
        """Return the most probable action in every lane."""
        rows, policy = self._view.of(seen, parents), self._policy
        if isinstance(policy, TabularSoftmax):
            found = policy.log_table[rows]
            found = found if legal is None else np.where(legal != 0, found, -np.inf)
        else:
            found = policy.log_pi(rows, (), legal)
        chosen: IntArray = found.argmax(axis=-1)
        return chosen


def _unplayed(played: Sequence[Episodes], model: Game | None) -> str:
    """Say what a gain leaves out, if nothing is known of it."""
    steps, cut = max(one.steps for one in played), sum(one.cut for one in played)
    if cut:
        many = sum(one.returns.size for one in played)
        return f"of the first {steps} steps of an episode: {cut} of {many} were not over then"
    if model is None and any(one.left for one in played):
        return f"of the first {steps} steps: of what a game without an end pays later nothing is known"
    return ""


def _view(recorded: RecordedRun, agent: int) -> View:
    kind, world, dag = recorded.experiment.kind, recorded.run.world, recorded.dag
    if kind.is_network:
        return View(network=encodings(world, dag)[agent])
    return View(table=theta_shape(kind, world, dag, agent)[:-1])


def _learning(recorded: RecordedRun) -> dict[str, str]:
    """Return by what the agent learns: as the team did, a network with a critic in any case."""
    experiment = recorded.experiment
    if not experiment.kind.is_network:
        return {"policy": "table"}
    return {"policy": experiment.policy, "update": experiment.update if experiment.has_critic else "a2c"}


def _steps(gamma: float) -> int:
    """Return how many steps of a game count."""
    return (
        LONGEST if gamma == 1.0 else min(LONGEST, 1 + int(gamma and math.log(NEGLIGIBLE) / math.log(gamma)))
    )


def _policy(run: RunFolder) -> TabularSoftmax | NetworkPolicy:
    thetas = run.thetas(run.experiment.rounds)
    assert thetas is not None, "the run is done, on this machine"
    return run.team(thetas)[0] if run.experiment.kind.is_network else TabularSoftmax(thetas[0])


def _exact(recorded: RecordedRun, agent: int) -> float | None:
    """Return the agent's Nash gap from the model."""
    model = recorded.run.world.model
    if model is None or not is_coverage_affordable(model):
        return None
    latest = latest_policy(recorded)
    shown = latest.tabulated(model.states) if isinstance(latest, NetworkTeam) else latest
    return measure(model, shown, 0.0).nash_gap_per_agent[agent]
