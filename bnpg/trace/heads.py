"""The heads of all chains, kept outside the trace: a file, or a tail, that is gone shows against them."""

import json
from pathlib import Path

from bnpg.trace.reading import Life, Violation, read_trace
from protocol.files import write_atomically

HEADS_FILE = "trace-heads.json"


def write_heads(folder: Path, trace: Path) -> None:
    """Write how many lines each file of a finished trace has, and the hash of its last one."""
    heads = {_file(life): [len(life.events), life.head] for life in read_trace(trace)}
    write_atomically(folder / HEADS_FILE, json.dumps(heads, indent=2).encode(), fsync=False)


def check_heads(folder: Path, lives: list[Life]) -> None:
    """Prove that the trace is as long as it was when the run ended; a run that was killed left no heads.

    Raises
    ------
    Violation
        Naming the file that is missing, or shorter or longer than it was.
    """
    path = folder / HEADS_FILE
    if not path.exists():
        return
    try:
        heads = json.loads(path.read_text())
    except ValueError:
        raise Violation(f"{HEADS_FILE} is no JSON") from None
    found = {_file(life): [len(life.events), life.head] for life in lives}
    for file in sorted(set(heads) | set(found)):
        if found.get(file) != heads.get(file):
            what = (
                "is missing"
                if file not in found
                else "was added"
                if file not in heads
                else "was cut or changed"
            )
            raise Violation(
                f"{file} {what}: it has {found.get(file)}, when the run ended it had {heads.get(file)}"
            )


def _file(life: Life) -> str:
    return f"{life.process}.{life.life}.jsonl"
