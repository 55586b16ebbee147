"""Traces to be tampered with."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from bnpg_protocol.process.recorder import GENESIS, chained

from bnpg.cli.root import bnpg
from bnpg.lab.proof.check import Proof, check_trace
from bnpg.lab.proof.reference import check_reference
from bnpg.trace.heads import HEADS_FILE, check_heads
from bnpg.trace.reading import read_trace

Lines = list[dict[str, Any]]
KILLS = """
[[kill]]
process = "agent-1"
phase = "sending"
round = 1
step = 0
[[kill]]
process = "agent-2"
phase = "storing"
round = 2
[[kill]]
process = "coordinator"
phase = "signalling"
round = 3
"""


@dataclass
class Recorded:
    """A run folder with a trace."""

    folder: Path

    def files(self) -> dict[str, Lines]:
        """Return the lines of every file, without their hashes and numbers."""
        return {
            path.name: [
                {key: value for key, value in json.loads(line).items() if key not in ("n", "h")}
                for line in path.read_text().splitlines()
            ]
            for path in sorted((self.folder / "trace").glob("*.jsonl"))
        }

    def forge(self, files: dict[str, Lines], keep_heads: bool = False) -> None:
        """Write files with numbers and hashes as if they had been recorded so."""
        for path in (self.folder / "trace").glob("*.jsonl"):
            path.unlink()
        for name, lines in files.items():
            head, content = GENESIS, b""
            for number, fields in enumerate(lines):
                text = json.dumps({"n": number} | fields, separators=(",", ":")).encode()[:-1]
                head = chained(head, text)
                content += b'%b,"h":"%b"}\n' % (text, head.encode())
            (self.folder / "trace" / name).write_bytes(content)
        if not keep_heads:
            (self.folder / HEADS_FILE).unlink(missing_ok=True)

    def check(self, reference: bool = False) -> Proof:
        """Check as `bnpg trace check` does."""
        lives = read_trace(self.folder / "trace")
        check_heads(self.folder, lives)
        proof = check_trace(lives, done=True)
        if reference:
            check_reference(self.folder, proof)
        return proof


@pytest.fixture(scope="session")
def _original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run in memory that the tests copy."""
    folder = tmp_path_factory.mktemp("original") / "run"
    _train(folder, ("--launcher", "memory"))
    return folder


@pytest.fixture
def recorded(_original: Path, tmp_path: Path) -> Recorded:
    """A copy of a recorded run, to be tampered with."""
    return Recorded(Path(shutil.copytree(_original, tmp_path / "copy")))


Record = Callable[..., Recorded]


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Return what records a run in memory (or elsewhere) into a new folder."""

    def run(*options: str, plan: str = "", launcher: str = "memory") -> Recorded:
        folder = tmp_path / "run"
        more = [*options, "--launcher", launcher]
        if plan:
            (tmp_path / "plan.toml").write_text(plan)
            more += ["--faults", str(tmp_path / "plan.toml")]
        _train(folder, more)
        return Recorded(folder)

    return run


def _train(folder: Path, more: Sequence[str]) -> None:
    game = "random(agents=3, states=2, actions=2, branching=2)"
    arguments = ["train", game, "--dag", "0-1,2-1", "--rounds", "5", "--lanes", "3", "--horizon", "2"]
    arguments += ["--trace", "--out", str(folder), "--quiet", *more]
    assert bnpg.main(arguments, standalone_mode=False) == 0
