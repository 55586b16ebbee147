"""What a person asks for: fields of an experiment, some of them perhaps from a file, some given beside it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bnpg_coordinator.experiment import read_fields

from bnpg.experiment_plan import ExperimentPlan, plan_experiment
from bnpg_math.errors import named_in


@dataclass(frozen=True)
class AskedExperiment:
    """Fields of an experiment, and where they come from.

    Parameters
    ----------
    fields : dict
        By the names they have in a file.
    base : Path
        Where relative paths start from.
    file : Path, optional
        The file that fields come from.
    beside : bool
        Whether others were given beside the file.
    """

    fields: dict[str, Any]
    base: Path = Path()
    file: Path | None = None
    beside: bool = False

    def with_options(self, others: dict[str, Any]) -> "AskedExperiment":
        """Return the same with other fields, by the names they have in a file, given beside it."""
        return replace(self, fields=self.fields | others, beside=self.beside or bool(others))

    def plan(self, quiet: bool = True, **at_hand: Any) -> ExperimentPlan:
        """Check the experiment, as :func:`~bnpg.experiment_plan.plan_experiment`.

        Raises
        ------
        InputError
            One line: the file, the field that cannot be used, and why.
        """
        if self.file is None:
            return plan_experiment(self.fields, self.base, quiet, **at_hand)
        with named_in(self.file, " and what is given beside it" if self.beside else ""):
            return plan_experiment(self.fields, self.base, quiet, **at_hand)


def asked_for(subject: str, base: Path = Path()) -> AskedExperiment:
    """Return what a game or a simulator, named from a folder, or an experiment file asks for.

    Raises
    ------
    InputError
        If the file cannot be read or is no experiment.
    """
    if not subject.endswith(".toml"):
        return AskedExperiment({"game": subject}, base)
    file = Path(subject)
    return AskedExperiment(read_fields(file), file.parent, file)
