"""The coordination-game experiment of Chen & Zhang (ICML 2023), as one command.

    python examples/coordination_2023

Two, three and five agents; nobody sees anybody (empty), everybody the one before (line), everybody all before
(complete); 49 seeds, theta ~ N(0, 1), 2,000 exact updates with step size .01. Writes `results.csv` and
`coordination-2023.png`, and prints the last round.
"""

import os

# One BLAS thread for each worker. Before anything imports numpy.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import argparse  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from concurrent.futures import ProcessPoolExecutor  # noqa: E402
from itertools import product  # noqa: E402
from pathlib import Path  # noqa: E402

from figure import draw  # noqa: E402
from outcome import summarise, write_csv  # noqa: E402
from training import train  # noqa: E402

from bnpg.counting import counting  # noqa: E402


def main() -> None:
    """Run the experiment, and write its table and its figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--agents", type=int, nargs="+", default=[2, 3, 5], metavar="N")
    parser.add_argument("--seeds", type=int, default=49)
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--every", type=int, default=10, help="rounds between two measurements [10]")
    parser.add_argument(
        "--as-published", action="store_true", help="with the mu of the source's code, which sums to 2^n / n"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes [one a core]")
    parser.add_argument("--out", type=Path, default=Path("coordination-2023"), metavar="DIR")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    outcomes = []
    teams = list(product(options.agents, ("empty", "line", "complete")))
    with (
        ProcessPoolExecutor(options.jobs) as pool,
        counting("runs", len(teams) * options.seeds, quiet=False) as count,
    ):
        futures = {
            team: [
                pool.submit(train, *team, seed, options.rounds, options.every, options.as_published)
                for seed in range(options.seeds)
            ]
            for team in teams
        }
        for (agents, dag), runs in futures.items():
            courses = []
            for run in runs:
                courses.append(run.result())
                count()
            outcomes.append(summarise(agents, dag, courses))
    write_csv(outcomes, options.out / "results.csv")
    draw(outcomes, options.seeds, options.out / "coordination-2023.png")
    print(f"round {options.rounds}: mean over {options.seeds} seeds (95 % interval)")
    for outcome in outcomes:
        _, fraction, low, high, gap, gap_low, gap_high = outcome.table[-1]
        value = f"{fraction:.3f} of the optimum ({low:.3f} to {high:.3f})"
        nash = f"Nash gap {gap:.3f} ({gap_low:.3f} to {gap_high:.3f})"
        print(f"  {outcome.agents} agents, {outcome.dag:<8}  {value}, {nash}")
    print(f"{time.monotonic() - started:.0f} s; {options.out / 'coordination-2023.png'}", file=sys.stderr)


if __name__ == "__main__":
    main()
