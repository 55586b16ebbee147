"""What edges and the log barrier do for networks, as one command a study.

    python examples/networks climbing

The studies are `climbing`, `penalty`, `coordination`, `relay`, `assign`, `aloha` and `spread`; each trains
its teams, with several seeds, in memory. Without edges a team is MAPPO: a critic that sees everything, and a
network for every agent. Writes `STUDY.csv`, `STUDY.png` and `STUDY.jsonl`, from which an interrupted study
goes on, and prints a table. What is trained with which settings is in `studies.py`.
"""

import os

# One BLAS thread for each worker. Before anything imports numpy.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import argparse  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator, Sequence  # noqa: E402
from concurrent.futures import ProcessPoolExecutor, as_completed  # noqa: E402
from multiprocessing import get_context  # noqa: E402
from pathlib import Path  # noqa: E402

import msgspec  # noqa: E402
from figure import draw  # noqa: E402
from outcome import table, write_csv  # noqa: E402
from studies import STUDIES, Study, Team  # noqa: E402
from training import Result, train  # noqa: E402

from bnpg.counting import counting  # noqa: E402


def main() -> None:
    """Train what is missing of the studies asked for, and draw them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("studies", nargs="+", choices=list(STUDIES), metavar="STUDY", help=", ".join(STUDIES))
    parser.add_argument("--seeds", type=int, metavar="N", help="of every team [what the study has]")
    parser.add_argument("--quick", action="store_true", help="2 seeds, 2 rounds: to see that it runs")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes [one a core]")
    parser.add_argument("--out", type=Path, default=Path("networks"), metavar="DIR")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.studies:
        started = time.monotonic()
        study = STUDIES[name]
        seeds = options.seeds or (2 if options.quick else study.seeds)
        results = trained(study, seeds, options.quick, options.jobs, options.out / f"{name}.jsonl")
        write_csv(results, options.out / f"{name}.csv")
        draw(study.world, study, results, options.out / f"{name}.png")
        print(f"\n{study.world}, {seeds} seeds, {results[0].steps[-1]:,.0f} steps\n\n{table(study, results)}")
        print(f"{time.monotonic() - started:.0f} s; {options.out / f'{name}.png'}", file=sys.stderr)


def trained(study: Study, seeds: int, quick: bool, jobs: int, kept: Path) -> list[Result]:
    """Train all teams and seeds of a study but those that are kept in a file, and keep them there too."""
    wanted = [(team, seed) for seed in range(seeds) for team in study.teams]
    found = {(one.team, one.seed): one for one in read(kept, study, quick)}
    missing = [(team, seed) for team, seed in wanted if (team.name, seed) not in found]
    with counting("runs", len(missing), quiet=False) as count, kept.open("ab") as file:
        for one in results_of(study, missing, quick, jobs):
            found[one.team, one.seed] = one
            file.write(msgspec.json.encode(one) + b"\n")
            file.flush()
            count()
    return [found[team.name, seed] for team in study.teams for seed in range(seeds)]


def results_of(study: Study, missing: Sequence[tuple[Team, int]], quick: bool, jobs: int) -> Iterator[Result]:
    """Train teams, and yield each when it is done; the order changes no result."""
    if jobs <= 1:
        yield from (train(study, team, seed, quick) for team, seed in missing)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        runs = [pool.submit(train, study, team, seed, quick) for team, seed in missing]
        yield from (run.result() for run in as_completed(runs))


def read(kept: Path, study: Study, quick: bool) -> Iterator[Result]:
    """Yield what is kept of teams that were trained with the very options that they have now."""
    teams: dict[str, Team] = {team.name: team for team in study.teams}
    for line in kept.read_bytes().splitlines() if kept.exists() else ():
        one = msgspec.json.decode(line, type=Result)
        if one.team in teams and one.options == study.options(teams[one.team], quick):
            yield one


if __name__ == "__main__":
    main()
