"""Fingerprints of floating point: stable, sensitive to a bit, and different wherever results are."""

import os
import platform
import signal
import subprocess
import sys

import numpy as np
import pytest

from bnpg.lab.testing.matrix import KERNELS
from bnpg_math.arrays import numerics, solver_numerics

RESULTS = """
import hashlib, numpy as np
from bnpg_math.arrays.solver_numerics import full_fingerprint
from bnpg_math.exact.values import evaluate
from bnpg_math.games.registry import game
from bnpg_math.networks.mlp import backpropagate, initial, outputs
results = hashlib.sha256()
for states in (1, 5, 24):
    played = game(f"random(states={states}, agents=3, actions=3, branching={min(states, 4)}, seed=1)")
    table = np.exp(np.linspace(-1, 1, played.reward.size)).reshape(states, -1)
    pi = (table / table.sum(axis=-1, keepdims=True)).reshape(played.reward.shape)
    values = evaluate(played, pi)
    results.update(values.Q.tobytes() + values.d.tobytes())
theta = initial(0, 0, 33, (64, 64), 5, 1.0)
rows = np.cos(np.arange(64 * 33.0)).reshape(64, 33)
results.update(outputs(theta, rows).tobytes())
for part in backpropagate(theta, 64, lambda part: rows[part], lambda part, out: out).values():
    results.update(part.tobytes())
print(full_fingerprint(), results.hexdigest())
"""


def results(program: str = RESULTS, **environment: str) -> tuple[str, str] | None:
    """Fingerprint of a process of its own, and a digest of the values that it computes.

    None if the processor lacks an instruction of the kernel that the environment asks for.
    """
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode == -signal.SIGILL:
        return None
    assert ran.returncode == 0, ran.stderr
    found, digest = ran.stdout.split()
    return found, digest


def test_the_fingerprint_is_stable_and_short():
    anew = numerics.fingerprint.__wrapped__  # a process remembers it
    assert numerics.fingerprint() == anew() == anew()
    assert len(numerics.fingerprint()) == 16
    assert np.isfinite(numerics.probe()).all()
    full = solver_numerics.full_fingerprint()
    assert full == solver_numerics.full_fingerprint()
    assert full.startswith(f"{numerics.fingerprint()}-")
    assert len(full) == 33
    assert all(np.isfinite(part).all() for part in solver_numerics.solver_probe())


def test_one_bit_changes_the_fingerprint(monkeypatch):
    before = numerics.fingerprint()
    changed = numerics.probe()
    changed[-1] = np.nextafter(changed[-1], np.inf)
    monkeypatch.setattr(numerics, "probe", lambda: changed)
    assert numerics.fingerprint.__wrapped__() != before


def test_one_bit_of_a_solver_changes_the_full_one_alone(monkeypatch):
    before = solver_numerics.full_fingerprint()
    changed = solver_numerics.solver_probe()
    changed[-1][0] = np.nextafter(changed[-1][0], np.inf)
    monkeypatch.setattr(solver_numerics, "solver_probe", lambda: changed)
    after = solver_numerics.full_fingerprint()
    assert after != before
    assert after[:16] == before[:16]


def test_the_number_of_threads_does_not_matter_for_what_agents_compute():
    """What solvers compute is made in one thread by whoever keeps it: `bnpg.rounding`."""
    assert results()[0][:16] == results(OPENBLAS_NUM_THREADS="4")[0][:16]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the kernels named are those of x86-64")
def test_kernels_whose_values_differ_have_fingerprints_that_differ():
    """Both of numpy's BLAS and of scipy's."""
    found = [one for kernel in KERNELS[1:] if (one := results(OPENBLAS_CORETYPE=kernel))]
    assert len(found) > 1, "this processor has one kernel only: nothing is tested"
    assert len({digest for _, digest in found}) > 1, "the kernels round alike: nothing is tested"
    assert len({fingerprint for fingerprint, _ in found}) == len(set(found))


POWERS = """
import hashlib, math, numpy as np
from bnpg_math.arrays.solver_numerics import full_fingerprint
powers = [0.719**6, 0.513**11, 0.847**11, 0.99**331, 0.9**348]
print(full_fingerprint(), hashlib.sha256(np.array(powers).tobytes()).hexdigest())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to compute otherwise")
def test_c_libraries_whose_powers_differ_have_fingerprints_that_differ():
    """As on a processor without fused multiply and add, or in an image with another library."""
    here, there = results(POWERS), results(POWERS, GLIBC_TUNABLES="glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2")
    if here[1] == there[1]:
        pytest.skip("this processor computes them in one way only")
    assert here[0] != there[0]
