"""One process that is killed while it stores, again and again, gives up nothing that it needs to go on."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bnpg_agents.checkpoint import CheckpointFolder
from bnpg_coordinator.critic_file import CriticFile
from bnpg_protocol.wire.errors import StorageFailed
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.launchers import memory

RUNS = {
    "tables": ("coordination(agents=3)", "--dag", "line", "--lanes", "2", "--horizon", "2", "--rounds", "400",
               "--optimizer", "adam", "--evaluate-every", "400"),
    "a critic": ("coordination(agents=3)", "--policy", "mlp:4", "--critic", "mlp:4", "--update", "a2c",
                 "--dag", "line", "--lanes", "4", "--horizon", "3", "--rounds", "150",
                 "--evaluate-every", "150"),
}  # fmt: skip
HERE = ("--launcher", "memory", "--quiet", "--no-fsync")


class Killed:
    """Lets some storings of a life be, and some writings of the next one, and nothing after them."""

    def __init__(self, patched: pytest.MonkeyPatch) -> None:
        self.storings = self.writings = 0
        store = memory._MemoryRun._store

        def counted_store(launched: memory._MemoryRun) -> None:
            self.storings -= 1
            store(launched)

        patched.setattr(memory._MemoryRun, "_store", counted_store)
        for kind in (CheckpointFolder, CriticFile):
            patched.setattr(kind, "write", self._counted(kind.write))

    def _counted(self, write: Callable[..., None]) -> Callable[..., None]:
        def counted(*arguments: Any) -> None:
            if self.storings < 0:
                if self.writings == 0:
                    raise StorageFailed("killed")
                self.writings -= 1
            write(*arguments)

        return counted


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("asked", RUNS.values(), ids=list(RUNS))
def test_in_the_midst_of_any_storing_of_life_after_life(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, asked: tuple[str, ...], seed: int
) -> None:
    ended = run("train", *asked, *HERE, "--out", "whole")
    assert ended.code == 0, ended.err
    monkeypatch.setattr(memory, "STORE_EVERY", 0.01)
    draw = random.Random(seed)
    with monkeypatch.context() as patched:
        killed = Killed(patched)
        command = "train", *asked, *HERE, "--out", "run"
        for _ in range(8):
            killed.storings, killed.writings = draw.randrange(2), draw.randrange(8)
            ended = run(*command)
            if ended.code == 0:
                break
            assert ended.code == ExitCode.STORAGE, ended.err
            command = "resume", "run", "--quiet"
    ended = run("resume", "run", "--quiet")
    assert ended.code == 0, ended.err
    whole, again = (json.loads((Path(name) / "summary.json").read_text()) for name in ("whole", "run"))
    assert again["policy_digest"] == whole["policy_digest"]
