"""The heads of all chains, kept outside the trace: a file, or a tail, that is gone shows against them.

The launcher writes them when a run has ended, however it ended, and forgets them when the run goes on. So
only a run whose launcher was killed too has none.
"""

from pathlib import Path

import msgspec
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.files import write_atomically
from bnpg_protocol.process.recorder import GENESIS
from bnpg_protocol.wire.errors import StorageFailed

from bnpg.trace.reading import Life, Violation, trace_files
from bnpg_files.reading import read_bytes, read_json, why

HEADS_FILE = "trace-heads.json"
Heads = dict[str, tuple[int, str]]
"""By file: how many lines it has, and the chain hash of the last."""


def forget_heads(folder: Path, fence: Fence) -> None:
    """Forget the heads of a run that goes on.

    Raises
    ------
    StorageFailed
        If somebody else has taken the folder over.
    """
    fence.discard(folder / HEADS_FILE)


def write_heads(folder: Path, trace: Path, fence: Fence, processes: str = "*") -> None:
    """Write how many lines each file of a trace has, and the hash of its last one, as far as it is whole.

    Parameters
    ----------
    folder : Path
        The run folder.
    trace : Path
        Where the files are.
    fence : Fence
    processes : str
        Pattern of the names of those that have ended for sure: agents that were started by hand may still
        be writing their last lines.

    Raises
    ------
    StorageFailed
        If they cannot be written.
    """
    heads: Heads = {}
    for path in trace_files(trace, processes):
        try:
            whole = read_bytes(path).rpartition(b"\n")[0].split(b"\n")
        except OSError as error:
            raise StorageFailed(f"{path} cannot be read: {why(error)}") from None
        head = whole[-1].rpartition(b'"h":"')[2].removesuffix(b'"}').decode(errors="replace")
        heads[path.name] = (len(whole), head or GENESIS)
    if heads:
        write_atomically(folder / HEADS_FILE, msgspec.json.format(msgspec.json.encode(heads)), False, fence)


def check_heads(folder: Path, lives: list[Life]) -> bool:
    """Prove that the trace is as long as it was when the run ended.

    Returns
    -------
    bool
        Whether there are heads to compare with.

    Raises
    ------
    Violation
        Naming the file that is missing, or shorter or longer than it was.
    """
    path = folder / HEADS_FILE
    try:
        heads = read_json(path, Heads, Violation)
    except FileNotFoundError:
        return False
    known = {f"{life.process}.{life.life}.jsonl": life for life in lives}
    ended = {file.split(".")[0] for file in heads}
    for file in sorted(set(heads) | {file for file in known if file.split(".")[0] in ended}):
        life = known.get(file)
        if life is None:
            raise Violation(f"{file} is missing: when the run ended it had {heads[file][0]} lines")
        last = life.events[-1]
        if file not in heads:
            raise Violation(f"{file} was added after the run had ended", last)
        if heads[file] != (len(life.events), life.head):
            now = f"it has {len(life.events)} lines and the head {life.head}"
            lines, head = heads[file]
            raise Violation(
                f"{file} was cut or changed: {now}; when the run ended it had {lines} and {head}", last
            )
    return True
