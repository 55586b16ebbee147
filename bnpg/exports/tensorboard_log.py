"""The run record as TensorBoard event files in `tensorboard/`: look with `tensorboard --logdir runs`."""

import errno
import os
import shutil
import time
from pathlib import Path

from bnpg_coordinator import run_files
from bnpg_coordinator.line import LEARNING, MEASURED, RETURNS, Line, number
from bnpg_protocol.process.fence import Fence

from bnpg_files.reading import read_text
from bnpg_math.errors import InputError

_LEAST, _MOST = 2.0**-149, (2.0 - 2.0**-23) * 2.0**127
"""The least and the largest float32, as which event files hold scalars."""
TAGS = (
    {name: f"exact/{name}" for name in (*MEASURED, "step_size")}
    | {name: f"sampled/{name}" for name in RETURNS}
    | {name: f"learning/{name}" for name in LEARNING}
)
"""Under which name TensorBoard shows a number; it groups charts by what stands before the slash."""


class TensorBoardLog:
    """Event files of one run: scalars by round, and the experiment as text.

    Older event files of the run are replaced, since the record holds all they did; two files with the same
    rounds would be drawn as one curve that goes back and forth.

    Parameters
    ----------
    folder : Path
        The run folder.
    fence : Fence
        Of the run folder, through which the folder of older ones goes and that of new ones comes.

    Raises
    ------
    OSError
        If they cannot be written, or if somebody else has taken the run folder over.
    """

    def __init__(self, folder: Path, fence: Fence) -> None:
        from tensorboardX import SummaryWriter

        target = folder / "tensorboard"
        if target.is_symlink() or (target.exists() and not target.is_dir()):
            raise NotADirectoryError(errno.ENOTDIR, f"{target} is no folder of this run")
        former, new = fence.draft("former-tensorboard"), fence.draft(target.name)
        os.mkdir(new)
        if target.exists():
            os.rename(target, former)
        os.rename(new, target)
        shutil.rmtree(former, ignore_errors=True)
        self._writer = SummaryWriter(str(target), flush_secs=5)
        text = read_text(folder / run_files.EXPERIMENT, InputError)
        self._writer.add_text("experiment", "".join(f"    {line}\n" for line in text.splitlines()))
        self._clock = time.time()

    def write(self, line: Line) -> None:
        """Add a round's scalars, at the wall time by the run's own seconds: catching up bends no curve.

        What would be 0 or infinite there, and is not, is left out.
        """
        self._clock += line.seconds or 0.0
        for name, tag in TAGS.items():
            value = number(getattr(line, name))
            if value is not None and (value == 0.0 or _LEAST <= abs(value) <= _MOST):
                self._writer.add_scalar(tag, value, line.round, walltime=self._clock)

    def close(self) -> None:
        """Write what is left and close the files."""
        self._writer.close()
