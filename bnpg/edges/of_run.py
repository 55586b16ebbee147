"""Edges of the policy that a run came to, and that policy on another graph."""

from collections.abc import Callable

from bnpg_coordinator.networks import joint_policy

from bnpg.edges import EPISODES
from bnpg.edges.measuring import Edges, count_visits, value_edges
from bnpg.edges.trained import Trained, TrainedNetworks, TrainedTables
from bnpg.evaluation.played import MOST_STEPS
from bnpg.report.recorded_run import RecordedRun
from bnpg_math.dag import Dag
from bnpg_math.policies.joint import Policy, policy_of
from bnpg_math.policies.network_file import JointPolicy


def latest_policy(recorded: RecordedRun) -> JointPolicy:
    """Return the policy of a run after the last round that all its agents have stored.

    Raises
    ------
    InputError
        If it is not in the folder.
    """
    latest = recorded.latest_thetas
    if latest is None:
        raise recorded.without_thetas()
    kind = recorded.experiment.kind
    if kind.is_network:
        return joint_policy(kind, recorded.run.world, recorded.dag, latest[1])
    return policy_of(kind, recorded.dag, latest[1])


def edges_of_run(
    recorded: RecordedRun, budget: int | None, episodes: int, measured: Callable[[], None] = lambda: None
) -> Edges:
    """Measure the edges of the policy of a run.

    Parameters
    ----------
    recorded : RecordedRun
    budget, episodes, measured
        As :func:`bnpg.edges.measuring.value_edges` has them.

    Raises
    ------
    InputError
        If its policy is not in the folder.
    WorldFailed
    """
    return value_edges(
        recorded.run.world,
        trained(recorded, latest_policy(recorded)),
        recorded.experiment.seed,
        budget=budget,
        episodes=episodes,
        steps=longest(recorded),
        measured=measured,
    )


def policy_on(recorded: RecordedRun, dag: Dag | None) -> JointPolicy:
    """Return the policy of a run on another graph: without the parents that are left out.

    Parameters
    ----------
    recorded : RecordedRun
    dag : Dag or None
        None: its own.

    Raises
    ------
    InputError
        If its policy is not in the folder, or the graph is of another number of agents.
    WorldFailed
    """
    policy = latest_policy(recorded)
    if dag is None or dag == policy.dag:
        return policy
    here = trained(recorded, policy)
    visited, _ = count_visits(recorded.run.world, here, recorded.experiment.seed, EPISODES, longest(recorded))
    return here.on(dag, visited).joint()


def trained(recorded: RecordedRun, policy: JointPolicy) -> Trained:
    """Return a policy of a run as what plays, and goes over to other graphs."""
    if isinstance(policy, Policy):
        return TrainedTables(policy.dag, policy.tables)
    return TrainedNetworks(policy, recorded.run.world)


def longest(recorded: RecordedRun) -> int:
    """Return after how many steps an episode is cut; 0: it is not."""
    return 0 if recorded.run.simulator is None else max(recorded.experiment.steps, MOST_STEPS)
