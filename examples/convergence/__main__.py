"""How soon a gap is certified, by every way of climbing, on the games of `bnpg verify`, as one command.

    python examples/convergence

Every run starts from zeros, is exact, and ends with the first round whose policy is certified to have a Nash
gap of at most 2 % of the range of returns. One run at a time, so that wall times can be compared. Writes
`results.csv` and `convergence.png`, and prints medians and ratios to the certified plain updates.
"""

import os

# One BLAS thread. Before anything imports numpy.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import argparse  # noqa: E402
import csv  # noqa: E402
import math  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
from figure import draw  # noqa: E402
from racing import Outcome, race  # noqa: E402
from ways import CERTIFIED, WAYS  # noqa: E402

from bnpg.counting import counting  # noqa: E402
from bnpg.lab.verify.cases import cases  # noqa: E402
from bnpg_math.exact.mismatch import mismatch  # noqa: E402


def main() -> None:
    """Race all ways over all games."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--share", type=float, default=0.02, help="of the range of returns [0.02]")
    parser.add_argument("--rounds", type=int, default=10_000, help="at the most, a run [10000]")
    parser.add_argument("--seeds", type=int, default=1, help="of the random games [1]")
    parser.add_argument("--quick", action="store_true", help="fewer games")
    parser.add_argument("--first", type=int, metavar="N", help="of the games only")
    parser.add_argument("--launcher", choices=["memory", "local"], default="memory")
    parser.add_argument("--out", type=Path, default=Path("convergence"), metavar="DIR")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    # Where M is infinite no gap is certified, by whatever way.
    found = [case for case in cases(options.seeds, options.quick) if math.isfinite(mismatch(case.game).M)]
    found = found[: options.first]
    outcomes = []
    with counting("runs", len(found) * len(WAYS), quiet=False) as count:
        for case in found:
            for way in WAYS:
                outcomes.append(race(case, way, options.share, options.rounds, options.launcher))
                count()
    _write(outcomes, options.out / "results.csv")
    draw(outcomes, options.share, options.rounds, options.out / "convergence.png")
    _tell(outcomes)
    print(f"{time.monotonic() - started:.0f} s; {options.out / 'convergence.png'}", file=sys.stderr)


def _write(outcomes: list[Outcome], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("game", "way", "certified", "rounds", "seconds", "nash_gap"))
        for one in outcomes:
            rows.writerow((one.where, one.way.name, one.certified, one.rounds, one.seconds, one.nash_gap))


def _tell(outcomes: list[Outcome]) -> None:
    """Print a line a way; a run that was not certified counts as endless, and has no ratio."""
    plain = {one.where: one for one in outcomes if one.way is CERTIFIED and one.certified}
    print(f"{'':34}certified    rounds      seconds      fewer rounds  less time   (medians)")
    for way in WAYS:
        own = [one for one in outcomes if one.way is way]
        both = [(plain[one.where], one) for one in own if one.certified and one.where in plain]
        ratios = [
            f"{np.median([getattr(base, what) / max(getattr(one, what), 1e-9) for base, one in both]):.1f}x"
            if both
            else ""
            for what in ("rounds", "seconds")
        ]
        certified = f"{sum(one.certified for one in own)} of {len(own)}"
        rounds, seconds = _median(own, "rounds", ".0f"), _median(own, "seconds", ".3f")
        print(f"{way.name:34}{certified:<12} {rounds:<11} {seconds:<12} {ratios[0]:<13} {ratios[1]}")


def _median(outcomes: list[Outcome], what: str, form: str) -> str:
    numbers = [getattr(one, what) if one.certified else math.inf for one in outcomes]
    middle = float(np.median(numbers))
    return format(middle, form) if math.isfinite(middle) else "-"


if __name__ == "__main__":
    main()
