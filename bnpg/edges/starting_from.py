"""Experiments that begin with the policy that another run came to."""

from pathlib import Path
from typing import Any

from bnpg_coordinator import run_files
from bnpg_coordinator.experiment import read_fields

from bnpg.asked_experiment import AskedExperiment
from bnpg.edges.of_run import policy_on
from bnpg.report.recorded_run import read_run
from bnpg_math.dag.text import parse_dag
from bnpg_math.errors import InputError
from bnpg_math.policies.network_file import JointPolicy

LEARNED = "learned"
"""Instead of a DAG: the best that can be found in a policy on the complete one."""


def experiment_of(folder: Path) -> AskedExperiment:
    """Return the experiment of a run, but for beginning and graph.

    Raises
    ------
    InputError
        If it is not the folder of a run.
    """
    run = read_run(folder).run
    file = folder / run_files.EXPERIMENT
    fields = {key: value for key, value in read_fields(file).items() if key not in ("initial", "dag")}
    return AskedExperiment(fields, run.path if run.simulator is None else Path(run.simulator.folder), file)


def policy_from(folder: Path, fields: dict[str, Any]) -> JointPolicy:
    """Return the policy of a run, on the graph that the fields name.

    Raises
    ------
    InputError
        If there is none, or it does not go with the fields.
    WorldFailed
    """
    if "initial" in fields:
        raise InputError(f"a run begins with initial {fields['initial']} or from another run, not both")
    recorded = read_run(folder)
    dag = parse_dag(fields["dag"], recorded.run.agents) if "dag" in fields else None
    return policy_on(recorded, dag)
