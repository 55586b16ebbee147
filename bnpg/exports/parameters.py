"""Parameters of agents as safetensors files, which other programs load by name.

A file begins with the length of its header (8 bytes, little-endian) and the header, JSON: of every array its
dtype, shape and where its bytes are, counted from the header's end. Names and layout are those of the
parameters of `torch.nn.Sequential(Linear, Tanh, Linear, ..)`; of a table there is one array, `theta`.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from bnpg_agents.checkpoint import load_snapshots
from bnpg_protocol.wire.addresses import process_name

from bnpg.named_place import all_or_none, made, write_named
from bnpg.report.recorded_run import RecordedRun
from bnpg.run_folder import RunFolder
from bnpg_math.arrays import FloatArray
from bnpg_math.arrays.named import Arrays
from bnpg_math.errors import InputError, named_in

_ALIGNED = 8
"""A header is filled up with spaces to a multiple of so many bytes, so that numbers lie where they should."""


def safetensors(arrays: Arrays, about: Mapping[str, str]) -> bytes:
    """Return named arrays as the content of a safetensors file.

    Parameters
    ----------
    arrays : dict from str to array of float
    about : dict from str to str
        What the file says of itself.
    """
    header: dict[str, object] = {"__metadata__": dict(about)}
    parts, start = [], 0
    for name, array in arrays.items():
        raw = np.ascontiguousarray(array, dtype="<f8").tobytes()
        header[name] = {
            "dtype": "F64",
            "shape": list(array.shape),
            "data_offsets": [start, start + len(raw)],
        }
        parts.append(raw)
        start += len(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNED)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def export_parameters(recorded: RecordedRun, folder: Path) -> list[Path]:
    """Write `agent-I.safetensors` of every agent: its parameters after the last round that all have stored.

    Parameters
    ----------
    recorded : RecordedRun
    folder : Path
        Made if missing; nothing in it is overwritten.

    Returns
    -------
    list of Path
        The files, in agent order.

    Raises
    ------
    InputError
        If the parameters are not all in the run folder or are of another run, or a file is there already.
    StorageFailed
        If a file cannot be written; then none is left.
    """
    run = recorded.run
    held = [load_snapshots(run.agent(agent)) for agent in range(run.agents)]
    common = set.intersection(*(set(snapshot) for snapshot in held))
    if not common:
        raise recorded.without_thetas()
    round_ = max(common)
    _check(run, tuple(snapshot[round_].flat for snapshot in held))
    files = [folder / f"{process_name(agent)}.safetensors" for agent in range(run.agents)]
    for file in files:
        if file.exists():
            raise InputError(f"{file} exists; nothing is overwritten")
    with made(folder), all_or_none(files):
        for agent, (snapshot, file) in enumerate(zip(held, files, strict=True)):
            about = {
                "agent": str(agent),
                "policy": recorded.experiment.policy,
                "parents": ",".join(map(str, run.dag.parents[agent])),
                "round": str(round_),
                "run": str(run.identity["run"]),
            }
            write_named(file, safetensors(snapshot[round_].theta, about))
    return files


def _check(run: RunFolder, thetas: tuple[FloatArray, ...]) -> None:
    """Refuse what another game left in the folder; networks of a simulator are taken as they are."""
    where = run.path / "agents"
    run.check_shapes(thetas, where)
    if run.experiment.kind.is_network and run.simulator is None:
        with named_in(where):
            run.team(thetas)
