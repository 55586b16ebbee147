"""`python -m benchmarks`: measure everything and make the page of the documents.

`python -m benchmarks page` makes the page again, from the results of an earlier time.
"""

import os
import sys

# One BLAS thread, as in runs. Before anything imports numpy.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import argparse  # noqa: E402
from pathlib import Path  # noqa: E402

from bnpg_protocol.wire.exit_codes import ExitCode  # noqa: E402

from benchmarks.against_rivals import against_rivals  # noqa: E402
from benchmarks.exact_rounds import exact_rounds  # noqa: E402
from benchmarks.growth import growth  # noqa: E402
from benchmarks.page import PAGE, ROOT, make_page  # noqa: E402
from bnpg.lab.bench.document import Benchmark  # noqa: E402
from bnpg.lab.bench.effort import FULL, QUICK  # noqa: E402
from bnpg.lab.bench.suite import (  # noqa: E402
    BENCHMARKS,
    check_mixable,
    check_place,
    merged,
    read_results,
    run_suite,
    write_results,
)
from bnpg.lab.bench.words import benchmark_lines  # noqa: E402
from bnpg_math.errors import InputError  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results.json"
ALL = dict(sorted({**BENCHMARKS, "c": against_rivals, "d": exact_rounds, "e": growth}.items()))


def main() -> int:
    """Measure, or only make the page."""
    given = _parser().parse_args()
    try:
        if given.what == "page":
            make_page(read_results(given.out), given.page)
            return ExitCode.DONE
        return _measure(given)
    except InputError as error:
        print(f"benchmarks: error: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except KeyboardInterrupt:
        print("benchmarks: interrupted, nothing is kept", file=sys.stderr)
        return ExitCode.INTERRUPTED


def _measure(given: argparse.Namespace) -> int:
    letters = list(dict.fromkeys(given.only.split(",")))
    unknown = [letter for letter in letters if letter not in ALL]
    if unknown:
        raise InputError(f"--only: expected some of {','.join(ALL)}, got {unknown[0]!r}")
    check_place(given.out)
    earlier = read_results(given.out) if given.out.exists() and len(letters) < len(ALL) else None
    if earlier is not None:
        check_mixable(earlier, given.quick)

    def show(found: Benchmark) -> None:
        print("\n".join(benchmark_lines(found)), flush=True)
        print(f"  it took {found.seconds:.0f} s", flush=True)

    results = run_suite({letter: ALL[letter] for letter in letters}, QUICK if given.quick else FULL, show)
    whole = results if earlier is None else merged(earlier, results)
    write_results(whole, given.out)
    if not given.no_page:
        make_page(whole, given.page)
    for letter, why in results.not_measured.items():
        print(f"benchmarks: error: {letter} could not be measured: {why}", file=sys.stderr)
    return ExitCode.PEER_FAILED if results.not_measured else ExitCode.DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure bnpg, side by side.")
    parser.add_argument("what", nargs="?", choices=("measure", "page"), default="measure")
    parser.add_argument(
        "--only",
        default=",".join(ALL),
        metavar="LETTER,..",
        help="some of a to i; the others keep their results",
    )
    parser.add_argument("--quick", action="store_true", help="fewer repetitions and sizes")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FILE.json", help="the results")
    parser.add_argument("--page", type=Path, default=PAGE, metavar="FILE.md", help="the page")
    parser.add_argument("--no-page", action="store_true", help="make no page")
    return parser


if __name__ == "__main__":
    sys.exit(main())
