"""What an agent seals only it can open, and only as what it is: that round of that run, unchanged."""

import io
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bnpg_agents import sealing
from bnpg_agents.npy import as_npy
from bnpg_agents.sealing import KEY_BYTES, Seal
from bnpg_agents.snapshot import Snapshot
from bnpg_protocol.process.security.seal_key import read_seal_key, write_seal_key
from bnpg_protocol.wire.errors import InsecureSetup
from bnpg_protocol.wire.messages import CheckpointsReturned
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bnpg_math.errors import InputError

KEY = bytes(range(KEY_BYTES))
OURS = Seal(KEY)
LIFE = ("experiment-digest", 3)
tables = arrays.arrays(
    "<f8", arrays.array_shapes(max_dims=3, max_side=4), elements=st.floats(-1e6, 1e6, allow_nan=False)
)


def snapshot(theta: Any, **state: Any) -> Snapshot:
    return Snapshot({"theta": np.asarray(theta, dtype="<f8")}, state)


def back(*sealed: bytes, rounds: tuple[int, ...], agent: int = 1, life: int = 0) -> CheckpointsReturned:
    whole = np.frombuffer(b"".join(sealed), dtype=np.uint8)
    return CheckpointsReturned(agent, life, rounds, tuple(map(len, sealed)), whole)


@given(theta=tables, state=tables, round_=st.integers(0, 2**40), agent=st.integers(0, 99))
def test_what_was_sealed_opens_to_the_same_bits(theta: Any, state: Any, round_: int, agent: int) -> None:
    held = snapshot(theta, moment=state)
    sealed = OURS.seal("run", agent, LIFE, round_, held)
    of, opened, experiment, life = OURS.unseal("run", agent, sealed)
    assert (of, experiment, life) == (round_, *LIFE)
    assert as_npy(opened) == as_npy(held)


@given(theta=tables, data=st.data())
def test_no_bit_of_it_can_be_changed(theta: Any, data: st.DataObject) -> None:
    sealed = bytearray(OURS.seal("run", 1, LIFE, 8, snapshot(theta)))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InputError, match=r"does not open|no sealed checkpoint"):
        OURS.unseal("run", 1, bytes(sealed))


def test_it_opens_in_its_run_for_its_agent_with_its_key_only() -> None:
    sealed = OURS.seal("run", 1, LIFE, 8, snapshot([1.0]))
    for who, run, agent in ((OURS, "other", 1), (OURS, "run", 2), (Seal(KEY[::-1]), "run", 1)):
        with pytest.raises(InputError, match="of another agent, run or key"):
            who.unseal(run, agent, sealed)
    half = sealed[: len(sealed) // 2]
    with pytest.raises(InputError, match="does not open"):
        OURS.unseal("run", 1, half)


def test_nothing_of_theta_can_be_read_in_it() -> None:
    theta = np.linspace(1.0, 2.0, 500)
    sealed = OURS.seal("run", 1, LIFE, 8, snapshot(theta))
    assert not any(number.tobytes() in sealed for number in theta)
    assert LIFE[0].encode() not in sealed


def test_the_same_checkpoint_is_sealed_to_the_same_bytes() -> None:
    once, again = (OURS.seal("run", 1, LIFE, 8, snapshot([1.0, 2.0])) for _ in range(2))
    assert once == again
    assert once[16:] != OURS.seal("run", 1, LIFE, 9, snapshot([1.0, 2.0]))[16:]


def test_what_comes_back_is_taken_whole() -> None:
    seven, eight = (OURS.seal("run", 1, LIFE, at, snapshot([float(at)])) for at in (7, 8))
    taken = OURS.returned("run", back(seven, eight, rounds=(7, 8), life=2), least=8)
    assert {at: float(one.table[0]) for at, one in taken.held.items()} == {7: 7.0, 8: 8.0}
    assert (taken.experiment, taken.incarnation) == LIFE
    assert OURS.returned("run", back(rounds=(), life=5), least=0) == ({}, "", 5)


@pytest.mark.parametrize(
    ("message", "least", "why"),
    [
        (lambda seven, eight: back(seven, rounds=(8,)), 0, "round 8, got that of round 7"),
        (lambda seven, eight: back(seven, rounds=(7,)), 8, "round 8 or later, got round 7: an old one"),
        (lambda seven, eight: back(rounds=()), 1, "round 1 or later, got none: an old one"),
        (lambda seven, eight: back(seven, eight, rounds=(7,)), 0, r"rounds \(7,\) in \d+ bytes, got sizes"),
        (lambda seven, eight: back(seven, eight, rounds=(7, 8), agent=2), 0, "does not open"),
    ],
)
def test_old_and_swapped_ones_are_refused_in_one_line(message: Any, least: int, why: str) -> None:
    sealed = [OURS.seal("run", 1, LIFE, at, snapshot([1.0])) for at in (7, 8)]
    with pytest.raises(InputError, match=why) as refused:
        OURS.returned("run", message(*sealed), least)
    assert "\n" not in str(refused.value)


def test_those_of_two_experiments_are_refused() -> None:
    seven = OURS.seal("run", 1, ("one", 1), 7, snapshot([1.0]))
    eight = OURS.seal("run", 1, ("another", 1), 8, snapshot([1.0]))
    with pytest.raises(InputError, match="of one experiment"):
        OURS.returned("run", back(seven, eight, rounds=(7, 8)), 0)


def test_without_the_library_one_line_says_which_extra_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(sealing, "import_module", missing)
    with pytest.raises(InputError, match=r"needs cryptography.*pip install 'bnpg\[sealed\]'"):
        Seal(KEY)


def test_a_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    files = [tmp_path / "one.seal", tmp_path / "two.seal"]
    for file in files:
        write_seal_key(file)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    one, two = map(read_seal_key, files)
    assert len(one) == KEY_BYTES
    assert one != two


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        ('seal = "AAAA"', 0o600, "64 bytes, got 3"),
        ('seal = "no base64"', 0o600, "made by `bnpg keys seal`"),
        ('secret = "AAAA"', 0o600, "made by `bnpg keys seal`"),
        ('seal = "AAAA"', 0o644, "readable by its owner only, got mode 0644"),
    ],
)
def test_no_other_file_is_taken_for_one_and_none_is_quoted(
    tmp_path: Path, content: str, mode: int, why: str
) -> None:
    file = tmp_path / "k.seal"
    file.write_text(content)
    os.chmod(file, mode)
    with pytest.raises(InsecureSetup, match=why) as refused:
        read_seal_key(file)
    assert "AAAA" not in str(refused.value)
    with pytest.raises(InsecureSetup, match="No such file"):
        read_seal_key(tmp_path / "none")


def test_what_is_sealed_is_what_the_protocol_says() -> None:
    sealed = Seal(bytes(range(64))).seal("run", 3, ("digest", 2), 8, snapshot([1.0, 2.0]))
    assert sealed[:16] == b"BNPGSEAL\x08\0\0\0\0\0\0\0"
    around = [b"bnpg checkpoint 1", b"run", b"3", b"8"]
    inside = AESSIV(bytes(range(64))).decrypt(sealed[16:], around)
    assert len(sealed) == 16 + 16 + len(inside)
    digest, life, content = inside.split(b"\n", 2)
    assert (digest, life, content[:6]) == (b"digest", b"2", b"\x93NUMPY")
    assert np.load(io.BytesIO(content), allow_pickle=False).tolist() == [1.0, 2.0]
