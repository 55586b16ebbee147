"""The structure of the project, as tests: who may import whom, and what an agent process carries."""

import subprocess
import sys
from pathlib import Path

from bnpg.lab.testing.imports import loaded_by

HEAVY = (
    "asyncio",
    "click",
    "cryptography",
    "matplotlib",
    "networkx",
    "pandas",
    "prometheus_client",
    "rich",
    "scipy",
)

SOLVERS = ("matplotlib", "networkx", "pandas", "scipy")


def test_the_import_rules_hold() -> None:
    checked = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_an_agent_process_imports_nothing_heavy_and_no_trace_where_there_is_none() -> None:
    names = (*HEAVY, "bnpg_protocol.process.recorder", "bnpg_protocol.process.trace_line")
    assert loaded_by("import bnpg_agents.__main__, bnpg_agents.shell", names) == []


def test_a_coordinator_process_starts_without_solvers_and_graphs() -> None:
    """They take a good part of a start, and a sampled run that is not measured never asks for them."""
    assert loaded_by("import bnpg_coordinator.shell", SOLVERS) == []


def test_a_sampled_run_that_is_not_measured_never_loads_them(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from bnpg_coordinator.experiment import Experiment\n"
        "from bnpg_coordinator.machine import exact\n"
        "from bnpg_coordinator.loading import prepare_setup\n"
        "from bnpg_coordinator.worlds.table import TableWorld\n"
        "from pathlib import Path\n"
        "from bnpg_math.dag.text import parse_dag\n"
        "from bnpg_math.games.registry import game\n"
        "experiment = Experiment(game='climbing', dag='empty', learning_rate=0.1, evaluate_every=EVERY)\n"
        "world = TableWorld(game('climbing'))\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "setup = prepare_setup(folder, 'a' * 32, experiment, world, 'd', parse_dag('empty', 2), 1, 10.0)\n"
        "print(exact(setup)[0] is None, 'scipy' in sys.modules)\n"
    )
    answers = []
    for every in (0, 1):
        ran = subprocess.run(
            [sys.executable, "-c", program.replace("EVERY", str(every))],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        answers.append(ran.stdout.split())
    assert answers == [["True", "False"], ["False", "True"]]
