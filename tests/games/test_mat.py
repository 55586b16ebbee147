"""MATLAB's files: the numbers that scipy reads, and one line for whatever else stands there."""

import random
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from scipy.io import loadmat, savemat
from scipy.sparse import csc_matrix, issparse

from bnpg_math.errors import GameError
from bnpg_math.games.readers.mat import read_mat

OF_SCIPY = Path(scipy.io.__file__).parent / "matlab" / "tests" / "data"
SPARSE = csc_matrix(np.array([[0.0, 2.0, 0.0], [1.0, 0.0, 0.0]]))


def every(path):
    return read_mat(path, lambda _name: True)


def refusal(path):
    """Why a file is refused; nothing if it is read."""
    try:
        every(path)
    except GameError as error:
        return str(error)
    return ""


def alike(ours, theirs):
    if isinstance(ours, list):
        theirs = theirs.reshape(-1, order="F").tolist()
        return len(ours) == len(theirs) and all(map(alike, ours, theirs))
    if issparse(ours):
        ours, theirs = ours.toarray(), theirs.toarray()
    return ours.shape == theirs.shape and np.array_equal(ours, theirs, equal_nan=True)


@pytest.mark.parametrize("kind", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (2, 3, 4), (0, 0)])
def test_numbers_of_any_kind_come_in_their_shape(tmp_path, kind, shape):
    numbers = (np.random.default_rng(0).random(shape) * 100).astype(kind)
    held = {"text": "a line", "record": {"a": 1.0}, "x": numbers, "a_longer_name": numbers.T}
    for compressed in (False, True):
        savemat(tmp_path / "a.mat", held, do_compression=compressed)
        read = read_mat(tmp_path / "a.mat", ("x", "a_longer_name").__contains__)
        assert sorted(read) == ["a_longer_name", "x"]
        assert alike(read["x"], numbers)
        assert alike(read["a_longer_name"], numbers.T)


def cells():
    held = np.empty((2, 2), dtype=object)
    held[0, 0], held[0, 1], held[1, 0], held[1, 1] = SPARSE, np.eye(2), SPARSE.T, np.zeros((0, 0))
    return held


@pytest.mark.parametrize("form", ["4", "5"])
def test_sparse_matrices_and_cells(tmp_path, form):
    held = {"s": SPARSE, "n": np.arange(6.0).reshape(2, 3)} | ({"c": cells()} if form == "5" else {})
    savemat(tmp_path / "a.mat", held, format=form)
    read, theirs = every(tmp_path / "a.mat"), loadmat(tmp_path / "a.mat")
    assert read.keys() == held.keys()
    assert all(alike(read[name], theirs[name]) for name in held)


def test_what_scipy_reads_of_its_own_files_is_read_alike():
    """Files that MATLAB wrote, from version 4.2 to 7.4, of both orders of bytes."""
    if not OF_SCIPY.is_dir():
        pytest.skip("this scipy comes without the files of its tests")
    seen = 0
    for path in sorted(OF_SCIPY.glob("*.mat")):
        refused = refusal(path)
        assert "\n" not in refused
        if refused:
            continue
        try:
            theirs = loadmat(path)
        except ValueError:  # it refuses names that are not in ASCII, for one
            continue
        for name, value in every(path).items():
            assert value is None or alike(value, theirs[name]), (path, name)
            seen += value is not None
    assert seen > 30


def damaged(content, draw, times):
    for _ in range(times):
        other = bytearray(content)
        for _ in range(draw.choice([1, 1, 2, 4])):
            other[draw.randrange(len(other))] = draw.choice([0, 1, 127, 128, 255, draw.randrange(256)])
        yield bytes(other)


@pytest.mark.parametrize("options", [{}, {"do_compression": True}, {"format": "4"}])
def test_a_file_that_is_cut_off_or_has_other_bytes_is_read_or_refused(tmp_path, options):
    """Scipy's reader believes types and lengths, and a wrong one ends the whole process."""
    held = {"P": np.full((2, 2, 2), 0.5), "c": cells()} if options.get("format") != "4" else {"P": np.eye(2)}
    savemat(tmp_path / "a.mat", {**held, "R": SPARSE, "gamma": 0.9}, **options)
    content = (tmp_path / "a.mat").read_bytes()
    path, refused = tmp_path / "b.mat", 0
    cut = (content[:length] for length in range(len(content)))
    for other in (*cut, *damaged(content, random.Random(1), 3000)):
        path.write_bytes(other)
        why = refusal(path)
        assert "\n" not in why
        refused += "b.mat" in why
    assert refused > len(content) / 2
