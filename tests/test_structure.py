"""The structure of the project, as tests: who may import whom, and what an agent process carries."""

import subprocess
import sys

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
    modules = "import sys, bnpg_agents.__main__, bnpg_agents.shell"
    program = f"{modules}; print([name for name in {names} if name in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.strip() == "[]"
