"""Folders that hold every kind of file there is, and the commands that read them."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bnpg.__main__ import main

CHECKS = frozenset({0, 2, 5})
READS = frozenset({0, 2})
RUNS = frozenset({0, 2, 6, 7})
"""6 where the thetas of one agent are lost, and those of another are not."""


@dataclass(frozen=True)
class Command:
    """A command line that reads files of a scene.

    Parameters
    ----------
    line : str
        `{at}` is the scene, `{new}` an empty folder.
    reads : str
        Pattern of the files, relative to the scene, that it may read.
    codes : set of int
        Exit codes that are in order, however odd the files.
    writes : bool
        Whether it goes on with what is in the scene; else nothing in it may change.
    """

    line: str
    reads: str = ".*"
    codes: frozenset[int] = READS
    writes: bool = False

    def read(self, name: str) -> bool:
        """Whether it may read a file."""
        return re.fullmatch(self.reads, name) is not None


@dataclass(frozen=True)
class Scene:
    """A folder and the commands that read it."""

    name: str
    make: Callable[[Path], None]
    commands: tuple[Command, ...]
    slow: tuple[Command, ...] = field(default=())
    """Those that start processes."""


def _bnpg(line: str) -> None:
    code = main(line.split())
    assert code == 0, (line, code)


_TINY = "--rounds 2 --lanes 2 --horizon 2 --evaluate-every 1 --no-fsync --quiet --launcher"


def _make_done(at: Path) -> None:
    _bnpg(f"games export climbing {at}/mine.npz")
    _bnpg(f"train {at}/mine.npz {_TINY} memory --save-policy --out {at}/first")
    _bnpg(
        f"train {at}/mine.npz {_TINY} memory --trace --save-policy --initial {at}/first/policy.npz "
        f"--out {at}/run"
    )
    for name in ("first", "run/curves.png", "mine.npz"):
        shutil.rmtree(at / name) if (at / name).is_dir() else (at / name).unlink()


def _make_going(at: Path, launcher: str = "memory") -> None:
    """Make a run that is done as far as it was asked for, and then is asked for more."""
    exact = "--mode exact --step-size backtracking --momentum nesterov" if launcher == "memory" else ""
    _bnpg(f"keys seal {at}/team.seal")
    _bnpg(f"train climbing {_TINY} {launcher} {exact} --seal {at}/team.seal --trace --out {at}/run")
    file = at / "run" / "experiment.toml"
    file.write_text(file.read_text().replace("rounds = 2\n", "rounds = 3\n"))
    (at / "run" / "curves.png").unlink()


def _make_processes(at: Path) -> None:
    _make_going(at, "local")


def _make_networks(at: Path) -> None:
    _bnpg(f"keys seal {at}/team.seal")
    words = "--rounds 2 --lanes 2 --steps 3 --no-fsync --quiet --launcher memory"
    _bnpg(f"train relay --policy mlp:4 --update ppo {words} --seal {at}/team.seal --out {at}/run")
    (at / "run" / "curves.png").unlink()


def _make_sweep(at: Path) -> None:
    grid = '[base]\ngame = "climbing"\nrounds = 1\nlanes = 2\nhorizon = 2\n\n[grid]\nseed = [0, 1]\n'
    (at / "grid.toml").write_text(grid)
    _bnpg(f"sweep {at}/grid.toml --out {at}/sweep --jobs 1 --no-fsync --quiet")


def _make_inputs(at: Path) -> None:
    _bnpg(f"games export coordination(agents=2) {at}/game.npz")
    _bnpg(f"train {at}/game.npz {_TINY} memory --save-policy --out {at}/run")
    shutil.move(at / "run" / "policy.npz", at / "policy.npz")
    shutil.rmtree(at / "run")
    (at / "team.edges").write_text("0 1\n")
    (at / "experiment.toml").write_text(
        'game = "game.npz"\ninitial = "policy.npz"\ndag = "team.edges"\nrounds = 1\nlanes = 2\nhorizon = 2\n'
    )
    (at / "plan.toml").write_text(
        'seed = 1\n[[link]]\nto = "*"\ndrop = 0.1\n\n'
        '[[kill]]\nprocess = "agent-1"\nphase = "states"\nround = 0\n'
    )
    (at / "token").write_text("a-token-that-is-long-enough-to-be-one\n")
    (at / "token").chmod(0o600)


def _make_keys(at: Path) -> None:
    _bnpg(f"keys new {at}/keys --agents 2")
    (at / "enrolled").mkdir()
    _bnpg(f"keys new {at}/other --agents 1 --public {at}/enrolled")
    shutil.rmtree(at / "other")


_EDITED = r"run/(?!trace/|curves).*"
_NEW = "--launcher memory --no-fsync --quiet --out {new}/run"
_SERVES = "--listen tcp://127.0.0.1:* --patience 0.3"
_AGENT = "agent --state {new}/agent --patience 0.3"
_ALONE = READS | {4}
"""Processes that nobody answers end at their deadline."""

_RUN = (
    Command("status {at}/run", r"run/((status|summary)\.json|experiment\.toml|run\.json)"),
    Command("status {at}/run --json", r"run/(status|summary)\.json"),
    Command("report {at}/run --out {new}/page.html", r"run/.*"),
    Command("runs {at} --json", r"run/((summary|run|status)\.json|experiment\.toml|metrics\.jsonl)"),
    Command("trace check {at}/run", r"run/.*", CHECKS),
    Command("trace check {at}/run --no-reference --json", r"run/trace.*", CHECKS),
    Command("trace show {at}/run --round 1", r"run/(trace.*|experiment\.toml|run\.json)"),
    Command("trace show {at}/run --perfetto {new}/trace.json", r"run/trace/.*"),
    Command("watch {at}/run --listen 127.0.0.1:0", _EDITED),
    Command("resume {at}/run --patience 2 --quiet", _EDITED, RUNS, writes=True),
)
_POLICY = (
    Command("play {at}/run --steps 2 --json", _EDITED),
    Command("export {at}/run --to safetensors --out {new}/exported", _EDITED),
)
_DONE = (
    *_POLICY,
    Command("edges {at}/run --episodes 4 --quiet", _EDITED, writes=True),
    Command("train --from {at}/run --dag empty --rounds 1 " + _NEW, _EDITED),
    Command("certificate check {at}/run", _EDITED, CHECKS),
    Command("exact_check {at}/run", _EDITED, CHECKS),
    Command("coordinator {at}/run " + _SERVES, _EDITED, RUNS | {4}, writes=True),
    Command("train {at}/run/experiment.toml " + _NEW, r"run/(experiment\.toml|(game|initial)\.npz)"),
)
_GOING = (Command("verify --run {at}/run", r"run/(experiment|launch)\.toml|run/(run|summary)\.json", CHECKS),)
_NETWORKS = (
    *_POLICY,
    Command("resume {at}/run --quiet", r"run/.*|team\.seal", RUNS, writes=True),
    Command(_AGENT + " --agent 0 --connect tcp://127.0.0.1:1 --seal {at}/team.seal", r"team\.seal", _ALONE),
)
_PROCESSES = (
    Command("report {at}/run --out {new}/page.html", r"run/agents/.*"),
    Command("certificate check {at}/run", r"run/(agents/.*|certificate\..*)", CHECKS),
    Command("exact_check {at}/run", r"run/(agents/.*|certificate\..*)", CHECKS),
)
_STARTED = (
    Command(
        "resume {at}/run --patience 3 --quiet",
        r"run/(agents/agent-0/.*|generation|experiment\.toml|launch\.toml)",
        RUNS | {3, 4, 8},
        writes=True,
    ),
)
_SWEEP = (
    Command(
        "sweep {at}/grid.toml --out {at}/sweep --jobs 1 --no-fsync --quiet",
        r"grid\.toml|sweep/(sweep\.json|runs/0[^/]*/(?!agents|curves|certificate).*)",
        RUNS | {3, 4},
        writes=True,
    ),
)
_INPUTS = (
    Command("train {at}/game.npz --rounds 1 --lanes 2 --horizon 2 " + _NEW, r"game\.npz"),
    Command("train {at}/experiment.toml " + _NEW, r"experiment\.toml|team\.edges|(policy|game)\.npz"),
    Command("train climbing --faults {at}/plan.toml --rounds 0 " + _NEW, r"plan\.toml"),
    Command("evaluate {at}/game.npz --policy {at}/policy.npz --json", r"(game|policy)\.npz"),
    Command(
        "evaluate {at}/game.npz --policy {at}/policy.npz --mismatch --best-response {new}/b.npz",
        r"(game|policy)\.npz",
    ),
    Command(
        "dag advise {at}/game.npz --dag {at}/team.edges --at {at}/policy.npz",
        r"(game|policy)\.npz|team\.edges",
    ),
    Command("games export {at}/game.npz {new}/again.npz", r"game\.npz"),
    Command("watch 127.0.0.1:1 --listen 127.0.0.1:0 --token-file {at}/token", "token"),
    Command(_AGENT + " --connect @{at}/token", "token", _ALONE),
)
_KEYS = (
    Command("keys check {at}/keys", r"keys/.*"),
    Command("keys new {at}/keys --agents 2 --keep", r"keys/.*"),
    Command("keys rotate {at}/keys --agent 1", r"keys/.*", writes=True),
    Command("keys rotate {at}/keys --coordinator", r"keys/.*", writes=True),
    Command("keys revoke {at}/keys --agent 1", r"keys/.*", writes=True),
    Command(
        f"coordinator climbing {_SERVES} --key {{at}}/keys/coordinator.key --roster {{at}}/keys/roster.toml "
        "--out {new}/run",
        r"keys/(coordinator\.key|roster\.toml)",
        _ALONE,
    ),
    Command(
        f"coordinator climbing {_SERVES} --key {{at}}/keys/coordinator.key --roster {{at}}/enrolled "
        "--out {new}/run",
        r"enrolled/.*",
        _ALONE,
    ),
    Command(
        _AGENT + " --connect tcp://127.0.0.1:1 --key {at}/keys/agent-0.key", r"keys/agent-0\.key", _ALONE
    ),
)
SCENES = (
    Scene("done", _make_done, (*_RUN, *_DONE)),
    Scene("going", _make_going, (*_RUN, *_GOING)),
    Scene("processes", _make_processes, _PROCESSES, _STARTED),
    Scene("networks", _make_networks, _NETWORKS),
    Scene("sweep", _make_sweep, _SWEEP),
    Scene("inputs", _make_inputs, _INPUTS),
    Scene("keys", _make_keys, _KEYS),
)
"""All folders."""
