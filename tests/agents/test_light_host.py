"""A host that only runs agents needs what `requirements/agent.txt` names, and nothing else."""

import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
REFUSING = """
import sys

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {refused!r}:
            raise ImportError(name + " is not on a host of agents")

sys.meta_path.insert(0, Refused())
import bnpg.cli.agent, bnpg_agents.__main__, bnpg_agents.shell
from bnpg.__main__ import main
import bnpg_protocol.process.transport.zeromq, bnpg_protocol.process.transport.curve
sys.exit(main(["agent", "--help"]))
"""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def named() -> set[str]:
    text = (ROOT / "requirements" / "agent.txt").read_text(encoding="utf-8")
    return {normal(name) for name in re.findall(r"^([A-Za-z0-9_.-]+)==", text, re.M)}


def test_the_modules_of_all_other_packages_may_be_missing() -> None:
    kept = named() | {"bnpg"}
    refused = {
        module
        for module, owners in packages_distributions().items()
        if not {normal(owner) for owner in owners} & kept and not module.startswith("_")
    }
    assert {"scipy", "matplotlib", "rich"} <= refused
    code = REFUSING.format(refused=refused)
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "Start one agent" in ended.stdout


def test_versions_are_those_of_everybody() -> None:
    pinned = {
        kind: set(
            re.findall(r"^(\S+==\S+)", (ROOT / "requirements" / f"{kind}.txt").read_text("utf-8"), re.M)
        )
        for kind in ("agent", "run")
    }
    numpys = {line for line in pinned["agent"] if line.startswith(("numpy", "pyzmq", "msgspec", "isal"))}
    assert numpys <= pinned["run"]
