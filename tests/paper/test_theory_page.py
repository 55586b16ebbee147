"""The pages of proofs name tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "theory").glob("*.md"))
NAMED = [
    found
    for page in PAGES
    for found in re.findall(r"\[`(test_\w+)`\]\(\.\./\.\./(tests/[\w/]+\.py)\)", page.read_text())
]


def test_every_test_that_is_named_is_there():
    assert len(NAMED) > 20
    for test, file in NAMED:
        assert f"def {test}(" in (ROOT / file).read_text(), f"{file} has no {test}"


def test_every_claim_of_the_paper_that_is_tested_is_told():
    told = {test for test, _ in NAMED}
    files = [file for file in sorted((ROOT / "tests" / "paper").glob("test_*.py")) if file != Path(__file__)]
    written = {test for file in files for test in re.findall(r"^def (test_\w+)\(", file.read_text(), re.M)}
    assert written <= told, sorted(written - told)
