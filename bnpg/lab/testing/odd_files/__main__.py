"""Try every oddity in the place of every file with every command that reads it, and say what is wrong.

    python -P -m bnpg.lab.testing.odd_files [--only PATTERN] [--seconds N] [--seed N]

In the order of a shuffle, so that an interrupted one has looked everywhere.
"""

import argparse
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from bnpg.lab.testing.odd_files.oddities import ODDITIES
from bnpg.lab.testing.odd_files.scenes import SCENES, Command
from bnpg.lab.testing.odd_files.trial import Stage
from bnpg.lab.testing.odd_files.variants import variants

Trial = tuple[Stage, Command, str, str, Callable[[Path], object]]


def trials(stage: Stage, kinds: str, slow: bool) -> Iterator[Trial]:
    """Yield all that can be tried with a scene."""
    scene = stage.scene
    for command in (*scene.commands, *(scene.slow if slow else ())):
        for name, content in stage.files.items():
            if not command.read(name):
                continue
            if "o" in kinds:
                for what, oddity in ODDITIES.items():
                    yield stage, command, name, what, lambda path, o=oddity, c=content: o(path, c)  # type: ignore[misc]
            if "v" in kinds:
                for what, other in variants(Path(name).name, content):
                    yield stage, command, name, what, lambda path, c=other: path.write_bytes(c())  # type: ignore[misc]


def main() -> int:
    """Try, and say what is wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--kinds", default="ov")
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    end, generator, found, count = (
        time.monotonic() + asked.seconds,
        random.Random(asked.seed),  # noqa: S311 (an order, no secret)
        Counter[str](),
        0,
    )
    with tempfile.TemporaryDirectory(prefix="odd-") as folder:
        stages = [Stage(scene, Path(folder) / scene.name) for scene in SCENES]
        every = [trial for stage in stages for trial in trials(stage, asked.kinds, asked.slow)]
        every = [
            one
            for one in every
            if re.search(asked.only, f"{one[0].scene.name} {one[1].line} {one[2]} {one[3]}")
        ]
        print(f"{len(every)} trials", flush=True)
        generator.shuffle(every)
        for stage, command, name, what, replace in every:
            if time.monotonic() > end:
                break
            count += 1
            for wrong in stage.attempt(command, name, replace):
                kind = f"{command.line.split('{')[0]} {name} {re.sub('[0-9]+', '#', wrong)[:60]}"
                found[kind] += 1
                if found[kind] <= 2:
                    print(
                        f"{stage.scene.name}: {command.line}: {name}: {what}: {wrong}".replace(folder, "~"),
                        flush=True,
                    )
    print(f"{count} of {len(every)} tried, {len(found)} kinds of findings", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
