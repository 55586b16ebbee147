"""Edges of the policy that a run came to, and that policy on another graph."""

from collections.abc import Callable

from bnpg.edges.measuring import Edges, count_visits, value_edges
from bnpg.evaluation.played import MOST_STEPS
from bnpg.report.recorded_run import RecordedRun
from bnpg_math.dag import Dag
from bnpg_math.errors import InputError
from bnpg_math.policies.file import Policy, policy_of
from bnpg_math.policies.pruning import regraphed

EPISODES = 4096
"""Episodes by which edges are valued and visits counted, unless another number is asked for."""


def latest_policy(recorded: RecordedRun) -> Policy:
    """Return the policy of a run after the last round that all its agents have stored.

    Raises
    ------
    InputError
        If it is not in the folder.
    """
    latest = recorded.theta_after
    if latest is None and recorded.experiment.kind.is_network and recorded.run.simulator is not None:
        raise InputError(f"the networks of {recorded.folder} see numbers: edges of tables only can be cut")
    if latest is None:
        raise recorded.without_thetas()
    return policy_of(recorded.experiment.kind, recorded.dag, latest[1])


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
        recorded.dag,
        latest_policy(recorded).tables,
        recorded.experiment.seed,
        budget=budget,
        episodes=episodes,
        steps=_longest(recorded),
        measured=measured,
    )


def policy_on(recorded: RecordedRun, dag: Dag | None) -> Policy:
    """Return the policy of a run on another graph: parents that are left out are summed out.

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
    visits = count_visits(
        recorded.run.world, policy.dag, policy.tables, recorded.experiment.seed, EPISODES, _longest(recorded)
    )
    tables = regraphed(policy.tables, visits, policy.dag, dag, recorded.run.actions)
    return Policy.from_tables(dag, tables)


def _longest(recorded: RecordedRun) -> int:
    """Return after how many steps an episode is cut; 0: it is not."""
    return 0 if recorded.run.simulator is None else max(recorded.experiment.steps, MOST_STEPS)
