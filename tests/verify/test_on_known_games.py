"""Certificates from episodes are above the true gap, and threats keep bad equilibria up."""

import pytest

from bnpg.lab.verify import on_known_games as module


def test_what_episodes_certify_is_held_against_the_true_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SEEDS", 1)
    found = list(module.certificates_from_samples())
    assert len(found) == 2
    assert all(0.0 < finding.measured <= finding.limit for finding in found)
    monkeypatch.setattr(module, "nash_gap", lambda *_: type("Gap", (), {"gap": 100.0}))
    assert any(finding.violation for finding in module.certificates_from_samples())


def test_a_bad_equilibrium_is_left_with_all_edges() -> None:
    equilibrium, optimal = module.threats()
    assert equilibrium.holds
    assert optimal.measured == 6.0
    assert not optimal.violation
