"""Every agent's local policy, before and after, for the heat maps of a page."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bnpg.report.recorded_run import RecordedRun
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.joint import joint_policy
from bnpg_math.policies.softmax import policy

MOST_NUMBERS = 150_000
"""Probabilities on one page; beyond, only the first states are shown."""
MOST_JOINT = 2_000_000
"""States times joint actions up to which the most likely joint actions are found."""


@dataclass(frozen=True)
class PolicyView:
    """What the heat maps of a run show.

    Parameters
    ----------
    round : int
        Updates that the policy after has seen.
    states, shown : int
        States of the game, and how many of them the page holds.
    content : str
        JSON, safe within a page.
    """

    round: int
    states: int
    shown: int
    content: str


def policy_view(run: RecordedRun) -> PolicyView | None:
    """Return the local policies of a run; None if no theta is at hand."""
    after = run.theta_after
    if after is None:
        return None
    round_, thetas = after
    direct = run.experiment.kind.is_direct
    before_tables = [policy(theta) for theta in run.theta_before]
    after_tables = [theta if direct else policy(theta) for theta in thetas]
    states = max(run.states)
    common = min(run.states) == states
    numbers = 2 * sum(table[0].size for table in after_tables)
    shown = max(1, min(states, MOST_NUMBERS // numbers))
    agents = [
        {
            "agent": agent,
            "parents": list(run.dag.parents[agent]),
            "sizes": list(table.shape[1:]),
            "before": _numbers(before_tables[agent][:shown]),
            "after": _numbers(table[:shown]),
        }
        for agent, table in enumerate(after_tables)
    ]
    content = {
        "states": shown,
        "agents": agents,
        "team": None
        if run.run.simulator is not None or not common or states * run.game.joint_actions > MOST_JOINT
        else {
            "before": _likeliest(run, before_tables, shown),
            "after": _likeliest(run, after_tables, shown),
        },
    }
    return PolicyView(round_, states, shown, json.dumps(content, separators=(",", ":")))


def _numbers(table: FloatArray) -> list[float]:
    return [round(float(number), 4) for number in table.ravel()]


def _likeliest(run: RecordedRun, tables: Sequence[FloatArray], shown: int) -> list[tuple[list[int], float]]:
    """Return for every state the most likely joint action and its probability."""
    pi = joint_policy(tables, run.dag)[:shown].reshape(shown, -1)
    best = pi.argmax(axis=1)
    actions = np.stack(np.unravel_index(best, run.game.actions), axis=1)
    return [
        ([int(action) for action in row], round(float(pi[state, best[state]]), 4))
        for state, row in enumerate(actions)
    ]
