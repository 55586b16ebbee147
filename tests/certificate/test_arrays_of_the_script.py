"""The stand-alone script reads arrays of numpy as numpy does."""

import io
from pathlib import Path

import numpy as np
import pytest

from bnpg.certified.exact_check import CheckError, read_npy, read_npz


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["<f8", ">f8", "<f4", "<f2", "<i8", ">i4", "|u1", "<u2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_kind_and_order(kind: str, order: str) -> None:
    array = np.asarray(np.arange(24).reshape(2, 3, 4), dtype=kind, order=order)
    read = read_npy(npy(array), "it")
    assert read.shape == (2, 3, 4)
    assert list(read.numbers) == list(range(24))


def test_a_number_and_an_empty_table() -> None:
    assert read_npy(npy(np.array(0.1)), "it").numbers == [0.1]
    assert read_npy(npy(np.empty((0, 2), dtype=np.int64)), "it").shape == (0, 2)


@pytest.mark.parametrize("shape", [(), (3,)])
def test_theta_is_taken_from_a_record(shape: tuple[int, ...]) -> None:
    record = np.zeros(shape, dtype=[("other", "<f8", (2,)), ("theta", "<f8", (2, 2)), ("last", "<f8")])
    record["theta"] = np.arange(4.0).reshape(2, 2)
    read = read_npy(npy(record), "it")
    assert read.shape == (*shape, 2, 2)
    assert list(read.numbers) == [0.0, 1.0, 2.0, 3.0] * int(np.prod(shape))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK",
        npy(np.zeros(3))[:-1],
        npy(np.zeros(3)).replace(b"<f8", b"<c8"),
        npy(np.zeros(3)).replace(b"'shape'", b"'shapo'"),
        npy(np.array(["text"])),
        npy(np.array([True])),
    ],
)
def test_what_is_no_array_of_real_numbers_is_refused(data: bytes) -> None:
    with pytest.raises(CheckError, match=r"^it "):
        read_npy(data, "it")


def test_an_archive_that_is_none(tmp_path: Path) -> None:
    for content in (b"", b"PK\x03\x04", b"no archive"):
        (tmp_path / "it.npz").write_bytes(content)
        with pytest.raises(CheckError, match=r"it\.npz cannot be read"):
            read_npz(tmp_path / "it.npz")
    with pytest.raises(CheckError, match="cannot be read"):
        read_npz(tmp_path / "missing.npz")
