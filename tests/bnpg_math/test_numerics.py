import numpy as np

from bnpg_math.arrays import numerics


def test_the_fingerprint_is_stable_and_short():
    assert numerics.fingerprint() == numerics.fingerprint()
    assert len(numerics.fingerprint()) == 16
    assert np.isfinite(numerics.probe()).all()


def test_one_bit_changes_the_fingerprint(monkeypatch):
    before = numerics.fingerprint()
    changed = numerics.probe()
    changed[1234] = np.nextafter(changed[1234], np.inf)
    monkeypatch.setattr(numerics, "probe", lambda: changed)
    assert numerics.fingerprint() != before
