"""The report of `bnpg verify` in a real browser: it loads alone, is accessible and fits a phone."""

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from bnpg.lab.verify.finding import at_most
from bnpg.lab.verify.verification import Verification, write_report


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with a claim that holds and one that does not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bnpg.lab.verify.figures._ROUNDS", 50)
        folder = tmp_path_factory.mktemp("verify")
        findings = (
            at_most("Lemma 1", "tight", "one place", 1.0, 2.0),
            at_most("Theorem 2", "tight", "another place", 2.0, 1.0),
        )
        write_report(Verification(findings, 2, 1.0), folder)
    return folder / "report.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_loads_alone_and_is_accessible(report: Path, look: Any, scheme: str) -> None:
    seen = look(report, scheme=scheme)
    assert [url for url in seen.requests if not url.startswith(("file:", "data:"))] == []
    found = Axe().run(seen.page)
    assert found.violations_count == 0, found.generate_report()


def test_a_phone_needs_no_horizontal_scrolling(report: Path, look: Any) -> None:
    page = look(report, width=390).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
