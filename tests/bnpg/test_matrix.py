"""Hosts that are taken for alike come to the same bits, whatever kernel, numpy and Python they have."""

import platform
import sys
from pathlib import Path

import pytest

from bnpg.lab.testing.matrix import CASES, broken, of_kernels


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the kernels named are those of x86-64")
def test_kernels_with_one_fingerprint_come_to_the_same_digests() -> None:
    """`make matrix` tries several versions of numpy and of Python too."""
    found, lacking = of_kernels(sys.executable, ("", "Prescott", "Haswell"))
    assert set(lacking) <= {"Haswell"}, "every x86-64 has the oldest one, and the one that was chosen"
    assert broken(found) == []
    assert len({one["fingerprint"] for one in found}) > 1, "the kernels round alike: nothing is tested"
    assert len({tuple(one["digests"]) for one in found}) > 1, "the set shows no difference: nothing is tested"
    assert all(len(one["digests"]) == len(CASES) for one in found)


def test_a_kernel_that_the_processor_lacks_is_left_out_and_told(tmp_path: Path) -> None:
    """OpenBLAS does as it is told, and the first instruction that is not there ends the process."""
    interpreter = tmp_path / "python"
    interpreter.write_text('#!/bin/sh\n[ -z "$OPENBLAS_CORETYPE" ] || kill -ILL $$\necho "{}"\n')
    interpreter.chmod(0o755)
    assert of_kernels(str(interpreter), ("", "SkylakeX")) == ([{}], ["SkylakeX"])


def test_one_fingerprint_with_other_digests_is_told() -> None:
    one = {
        "python": "3.11.7",
        "numpy": "2.4.6",
        "kernel": "",
        "fingerprint": "f",
        "digests": ["a"] * len(CASES),
    }
    other = one | {"kernel": "Haswell", "digests": ["a"] * (len(CASES) - 1) + ["b"]}
    (line,) = broken([one, other])
    assert "kernel Haswell share the fingerprint f, but not" in line
    assert broken([one, other | {"fingerprint": "g"}]) == []
