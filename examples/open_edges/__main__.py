"""Whether edges that are open in some states only beat a pruned graph with as many edges.

    python examples/open_edges assign

The studies are `relay`, `assign`, `aloha` (of four stations) and `coordination`. In each, and for every seed,
a dense team is trained. Then sets of its edges are opened at random to learn what each set is worth, and four
teams go on from it for as many rounds again, beside the dense one:

- *pruned*: on the edges that `bnpg edges --budget` proposes;
- *open by state*: a coordinator that sees everything opens in each step the edges that are worth their price;
- *open by child*: every agent decides by what it sees itself whom it hears;
- *told, not heard*: as by state, but no action is heard: an agent is only told which edges are open.

`by-hand` trains nobody: in `assign` everybody takes in turn what is worth most to it of what is left, and an
edge is open if the child would take what the parent has.

The price is the lowest at which no more edges than the budget has are open on average. Prints a table, and
writes `STUDY.jsonl`, from which an interrupted study goes on.
"""

import os

# One BLAS thread. Before anything imports numpy.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import argparse  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from pathlib import Path  # noqa: E402

import by_hand  # noqa: E402
import msgspec  # noqa: E402
import numpy as np  # noqa: E402
from teams import PRUNED, Result, results  # noqa: E402
from worlds import SEEDS, STUDIES, Study  # noqa: E402

from bnpg.counting import counting  # noqa: E402
from bnpg.evaluation.over_seeds import interval_in_words, mean_interval  # noqa: E402

BY_HAND = "by-hand"


def main() -> None:
    """Train what is missing of the studies asked for, and print what they came to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "studies",
        nargs="+",
        choices=[*STUDIES, BY_HAND],
        metavar="STUDY",
        help=", ".join([*STUDIES, BY_HAND]),
    )
    parser.add_argument("--seeds", type=int, metavar="N", help=f"of every team [{SEEDS}]")
    parser.add_argument("--quick", action="store_true", help="2 seeds, 2 rounds: to see that it runs")
    parser.add_argument("--out", type=Path, default=Path("open-edges"), metavar="DIR")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    seeds = options.seeds or (2 if options.quick else SEEDS)
    for name in options.studies:
        if name == BY_HAND:
            print(words_by_hand(by_hand.assign(0)))
            continue
        study = STUDIES[name]
        found = trained(study, seeds, options.quick, options.out / f"{name}.jsonl")
        print(
            f"\n{study.simulator.name}, {seeds} seeds, at most {study.budget} of {len(study.dag.edges)} edges"
        )
        print(f"\n{table(found)}")


def trained(study: Study, seeds: int, quick: bool, kept: Path) -> list[Result]:
    """Return what all teams came to; seeds that are kept in a file are not trained again."""
    done: dict[int, list[Result]] = {}
    for line in kept.read_bytes().splitlines() if kept.exists() else ():
        of_seed = msgspec.json.decode(line, type=list[Result])
        if of_seed[0].settings == study.settings(quick):
            done[of_seed[0].seed] = of_seed
    missing = [seed for seed in range(seeds) if seed not in done]
    with counting("seeds", len(missing), quiet=False) as count, kept.open("ab") as file:
        for seed in missing:
            done[seed] = list(results(study, seed, quick))
            file.write(msgspec.json.encode(done[seed]) + b"\n")
            file.flush()
            count()
    return [one for seed in range(seeds) for one in done[seed]]


def table(found: Sequence[Result]) -> str:
    """Return what the teams earned in Markdown, and what each earns more than the pruned one of its seed."""
    teams: dict[str, dict[int, Result]] = {}
    for one in found:
        teams.setdefault(one.team, {})[one.seed] = one
    rows = [
        "| | edges | with messages | greedy [95 %] | more than pruned | drawn [95 %] | more than pruned |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, own in teams.items():
        many = [np.mean([getattr(one, what) for one in own.values()]) for what in ("opened", "carried")]
        cells = [name, *(f"{edges:.3g}" for edges in many)]
        for what in ("greedy", "drawn"):
            earned = [getattr(one, what) for one in own.values()]
            beyond = [getattr(one, what) - getattr(teams[PRUNED][seed], what) for seed, one in own.items()]
            cells += [words(earned), "" if name == PRUNED else words(beyond)]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def words_by_hand(found: by_hand.ByHand) -> str:
    """Write what is earned in `assign` by hand, and with how many edges."""
    returns, opened = words(found.returns.tolist()), words(found.opened.tolist())
    return f"assign, in turn, by hand: return {returns}, edges open {opened}"


def words(values: Sequence[float]) -> str:
    """Write a mean over seeds, and its interval."""
    return interval_in_words(*mean_interval(values))


if __name__ == "__main__":
    main()
