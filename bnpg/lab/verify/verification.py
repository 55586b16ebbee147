"""Running all checks, and writing what came of them."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

from bnpg import __version__
from bnpg.lab.verify.cases import cases
from bnpg.lab.verify.claims import CLAIMS
from bnpg.lab.verify.figures import figures
from bnpg.lab.verify.finding import Finding
from bnpg.lab.verify.global_optimality import chain_of_three
from bnpg.lab.verify.known import counterexamples, reference_values
from bnpg.lab.verify.on_known_games import certificates_from_samples, threats
from bnpg.named_place import made, write_named
from bnpg.one_thread import one_thread


@dataclass(frozen=True)
class Verification:
    """What came of all checks."""

    findings: tuple[Finding, ...]
    places: int
    seconds: float

    @property
    def violations(self) -> tuple[Finding, ...]:
        """Checks that speak against a corrected or tight claim."""
        return tuple(finding for finding in self.findings if finding.violation)

    def rows(self) -> list[dict[str, Any]]:
        """Return a summary by claim and form: lemmas and theorems by their numbers, then the rest."""
        kinds = dict.fromkeys((finding.claim, finding.form) for finding in self.findings)
        return [self._row(*kind) for kind in sorted(kinds, key=lambda kind: _place(kind[0]))]

    def _row(self, claim: str, form: str) -> dict[str, Any]:
        mine = [finding for finding in self.findings if (finding.claim, finding.form) == (claim, form)]
        ratios = [
            finding.measured / finding.limit for finding in mine if finding.limit > 0 and finding.expected
        ]
        refuted = not mine[0].expected
        return {
            "claim": claim,
            "form": form,
            "checks": len(mine),
            "holds": "refuted, as expected" if refuted else sum(finding.holds for finding in mine),
            "closest": f"{max(ratios):.3g}" if ratios else "",
        }


def _place(claim: str) -> tuple[int, str]:
    """Return where a claim stands: as the paper numbers it; what it does not number comes last, as found."""
    found = re.match(r"(Lemma|Theorem) (\w+)", claim)
    if found is None:
        return 2, ""
    return ("Lemma", "Theorem").index(found[1]), found[2]


def verify(seeds: int, quick: bool, progress: Callable[[], None]) -> Verification:
    """Check everything; `progress` is called after each of `count_places` places."""
    started = time.monotonic()
    findings: list[Finding] = []
    places = 0
    # One BLAS thread: the matrices are small, and the numbers are those of a run.
    with one_thread():
        findings += [*reference_values(quick), *counterexamples(), *chain_of_three()]
        findings += [*certificates_from_samples(), *threats()]
        progress()
        for case in cases(seeds, quick):
            for claim in CLAIMS:
                findings += claim(case)
            places += 1
            progress()
    return Verification(tuple(findings), places, time.monotonic() - started)


def count_places(seeds: int, quick: bool) -> int:
    """Return how often `verify` reports progress."""
    return 1 + sum(1 for _ in cases(seeds, quick))


def write_report(verification: Verification, folder: Path) -> None:
    """Write `verify.json` and `report.html` into a folder; it is made if missing.

    Raises
    ------
    InputError
        If there can be none of that name, or none of this user.
    StorageFailed
        If the machine is short of something, such as room.
    """
    document = {
        "version": __version__,
        "places": verification.places,
        "seconds": round(verification.seconds, 3),
        "violations": [finding.as_json() for finding in verification.violations],
        "claims": verification.rows(),
        "findings": [finding.as_json() for finding in verification.findings],
    }
    templates = Environment(
        loader=PackageLoader("bnpg.lab.verify"), autoescape=select_autoescape(["html", "j2"])
    )
    page = templates.get_template("report.html.j2").render(
        findings=len(verification.findings),
        places=verification.places,
        seconds=round(verification.seconds),
        version=__version__,
        violations=verification.violations,
        rows=verification.rows(),
        figures=figures(),
    )
    with made(folder):
        write_named(folder / "verify.json", (json.dumps(document, indent=1) + "\n").encode())
        write_named(folder / "report.html", page.encode())
