"""`bnpg verify` says what holds, and would say if it did not."""

import json
from pathlib import Path

import pytest

from bnpg.__main__ import main
from bnpg.lab.verify import claims
from bnpg.lab.verify.cases import Case, cases
from bnpg.lab.verify.finding import Finding, at_most
from bnpg.lab.verify.known import counterexamples
from bnpg.lab.verify.verification import Verification
from bnpg_math.dag import line
from bnpg_math.games.registry import game as find_game


def one_case() -> Case:
    return Case(
        "here", find_game("random(states=2, agents=2, actions=2, branching=2, gamma=0.5)"), line(2), 0
    )


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "_ROUNDS", 300)
    monkeypatch.setattr("bnpg.lab.verify.figures._ROUNDS", 50)


def test_every_claim_holds_on_a_small_game() -> None:
    found = [finding for claim in claims.CLAIMS for finding in claim(one_case())]
    assert {finding.claim for finding in found} >= {"Lemma 1", "Lemma 2", "Lemma 4", "Theorem 1"}
    assert not [finding for finding in found if finding.violation]


def test_what_is_printed_and_wrong_is_refuted() -> None:
    found = list(counterexamples())
    assert len(found) == 2
    assert not any(finding.holds or finding.violation for finding in found)


def test_a_wrong_gradient_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = claims.gradients
    monkeypatch.setattr(claims, "gradients", lambda *given: [1.01 * grad for grad in right(*given)])
    assert any(finding.violation for finding in claims.lemma_1(one_case()))


def test_a_smoothness_that_is_too_small_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "smoothness", lambda *_: 1e-3)
    assert any(finding.violation for finding in claims.lemma_4(one_case()))


def test_a_printed_claim_that_fails_is_no_violation_and_a_tight_one_is() -> None:
    assert not at_most("Lemma 9", "printed", "here", 2.0, 1.0).violation
    assert at_most("Lemma 9", "tight", "here", 2.0, 1.0).violation
    assert Finding("Lemma 9", "printed", "here", 1.0, 2.0, holds=True, expected=False).violation


def test_cases_cover_every_family_of_dags() -> None:
    names = {case.where.split(", ")[-2] for case in cases(1, quick=True)}
    assert names >= {"empty", "line", "complete"}


def test_rows_stand_as_the_paper_numbers_them() -> None:
    found = ("Theorem D1", "threshold of Theorem 1", "Lemma 4", "Theorem 2", "Lemma 1", "Theorem A: it rises")
    findings = tuple(at_most(claim, "tight", "here", 1.0, 2.0) for claim in found)
    rows = [row["claim"] for row in Verification(findings, 1, 1.0).rows()]
    ordered = ["Lemma 1", "Lemma 4", "Theorem 2", "Theorem A: it rises", "Theorem D1"]
    assert rows == [*ordered, "threshold of Theorem 1"]


def test_the_command_writes_a_report_and_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from bnpg.lab.verify import verification

    monkeypatch.setattr(verification, "cases", lambda *_: [one_case()])
    monkeypatch.setattr(verification, "reference_values", lambda _quick: [])
    assert main(["verify", "--quick", "--quiet", "--json", "--out", str(tmp_path / "v")]) == 0
    assert json.loads(capsys.readouterr().out)["violations"] == 0
    page = (tmp_path / "v/report.html").read_text()
    assert page.count("<svg") == 3
    assert page.count("var(--blue)") > 2
    assert "#000000" not in page
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )
    monkeypatch.setattr(verification, "CLAIMS", (lambda _: [at_most("Lemma 9", "tight", "here", 2.0, 1.0)],))
    assert main(["verify", "--quick", "--quiet", "--out", str(tmp_path / "w")]) == 5
    assert "Lemma 9" in capsys.readouterr().err
