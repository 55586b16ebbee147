"""Head to head with a peer that trains networks too: the same world, the same steps, several seeds.

`python -m benchmarks.peer ON-POLICY`, with a clone of https://github.com/marlbenchmark/on-policy, whose code
is run as it is, and torch installed in this environment. Each seed is trained by turns, one process at a
time, one thread each. Returns are those of the last tenth of the training episodes, so of drawn actions, in
both.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import t

STEPS, SEEDS = 200_000, 5
OURS, PEER = "bnpg, no edges", "on-policy, MAPPO"
Numbers = dict[str, float]


def main(words: Sequence[str] | None = None) -> int:
    """Train, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("peer", type=Path, metavar="ON-POLICY", help="folder of the clone")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"environment steps of a team [{STEPS}]")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"[{SEEDS}]")
    options = parser.parse_args(words)
    if not (options.peer / "onpolicy").is_dir():
        parser.error(f"{options.peer} is no clone of on-policy: it has no folder onpolicy")
    found: dict[str, list[Numbers]] = {OURS: [], PEER: []}
    for seed in range(options.seeds):
        sides = {
            OURS: ("benchmarks.peers.ours", str(options.steps), str(seed)),
            PEER: ("benchmarks.peers.on_policy", str(options.peer), str(options.steps), str(seed)),
        }
        for name in sides if seed % 2 == 0 else reversed(sides):
            found[name].append(measured(*sides[name]))
            print(f"seed {seed}, {name}: {found[name][-1]}", file=sys.stderr)
    print(table(found, options.steps))
    return 0


def measured(module: str, *words: str) -> Numbers:
    """Train a team in a process of its own, and return what its last line says.

    Raises
    ------
    SystemExit
        If it failed; what it said comes along.
    """
    alone = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL")}
    ran = subprocess.run(
        [sys.executable, "-m", module, *words], capture_output=True, text=True, check=False,
        env={**os.environ, **alone},
    )  # fmt: skip
    if ran.returncode:
        raise SystemExit(f"{module} failed:\n{ran.stderr[-2000:]}")
    numbers: Numbers = json.loads(ran.stdout.splitlines()[-1])
    return numbers


def table(found: dict[str, list[Numbers]], steps: int) -> str:
    """Return what all seeds came to in Markdown: means with intervals of 95 %, by Student's t."""
    rows = [
        f"spread, {steps:,} steps, {len(next(iter(found.values())))} seeds",
        "",
        "| | return of the last tenth | wall time, s | CPU time, s |",
        "|---|---|---|---|",
    ]
    for name, own in found.items():
        cells = [_interval([one[key] for one in own]) for key in ("return", "seconds", "cpu_seconds")]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _interval(values: Sequence[float]) -> str:
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:.4g}"
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return f"{mean:.4g} [{mean - half:.4g}, {mean + half:.4g}]"


if __name__ == "__main__":
    sys.exit(main())
