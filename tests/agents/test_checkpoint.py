"""Checkpoints: a crash at any instant leaves the thetas that were there before, or the new one as well."""

import builtins
import errno
import hashlib
import io
import json
import os
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from bnpg_agents import checkpoint
from bnpg_agents.checkpoint import CheckpointFolder, load_latest, load_snapshots, stored
from bnpg_agents.snapshot import Snapshot, of_table, unpacked
from bnpg_protocol.process.fence import Fence
from bnpg_protocol.process.files import next_count, write_atomically
from bnpg_protocol.process.slots import read_slots
from bnpg_protocol.wire.errors import StorageFailed
from hypothesis import given, settings
from hypothesis import strategies as st

from bnpg_math.errors import InputError, PolicyError


def with_momentum(array, origin):
    return Snapshot({"theta": array}, {"theta": origin})


def theta(round_):
    return np.random.default_rng(round_).normal(size=(3, 2))


def full_disk(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def folder(tmp_path):
    folder = CheckpointFolder(tmp_path / "agent-0", fsync=False)
    yield folder
    folder.close()


def held(folder):
    return {round_: found.tobytes() for round_, found in load_latest(folder.path).items()}


def expected(*rounds):
    return {round_: theta(round_).tobytes() for round_ in rounds}


def write_former(folder, round_, snapshot):
    """Write a checkpoint as earlier versions did: a file a round, with its digest in its name."""
    content = io.BytesIO()
    np.save(content, snapshot.packed(), allow_pickle=False)
    digest = hashlib.sha256(content.getvalue()).hexdigest()[:16]
    file = folder.path / f"theta-{round_:08d}-{digest}.npy"
    file.write_bytes(content.getvalue())
    return file


@pytest.mark.parametrize("moved", [True, False], ids=["moved", "taken over"])
def test_a_life_that_has_lost_the_run_folder_makes_nothing_in_its_place(tmp_path, moved):
    run = tmp_path / "x"
    run.mkdir()
    fence = Fence.raise_in(run)
    if moved:
        run.rename(tmp_path / "y")
    else:
        Fence.raise_in(run).lower()
    with pytest.raises(StorageFailed, match="agent-0: somebody else has taken the folder over"):
        CheckpointFolder(run / "agents" / "agent-0", fsync=False, fence=fence)
    assert run.exists() == (not moved)
    assert not moved or sorted(tmp_path.iterdir()) == [tmp_path / "y"]
    assert moved or list(run.iterdir()) == []


def test_an_agent_that_was_started_by_hand_makes_its_folder_and_those_above_it(tmp_path):
    with closing(CheckpointFolder(tmp_path / "agents" / "agent-0", fsync=False)) as folder:
        folder.write(0, of_table(theta(0)))
        assert held(folder) == expected(0)


def test_the_last_three_thetas_are_kept_bit_for_bit(folder):
    for round_ in range(7):
        folder.write(round_, of_table(theta(round_)))
        assert held(folder) == expected(*range(max(0, round_ - 2), round_ + 1))
        assert [file.name for file in stored(folder.path)] == ["theta.slots"]


def test_the_next_life_goes_on_with_what_a_former_one_left(folder):
    for round_ in range(4):
        folder.write(round_, of_table(theta(round_)))
    another = CheckpointFolder(folder.path, fsync=False)
    another.write(4, of_table(theta(4)))
    assert held(another) == expected(2, 3, 4)
    another.close()


def test_a_folder_of_an_earlier_version_goes_on_in_slots(folder):
    for round_ in (5, 6):
        write_former(folder, round_, of_table(theta(round_)))
    assert held(folder) == expected(5, 6)
    folder.write(7, of_table(theta(7)))
    assert held(folder) == expected(5, 6, 7)
    assert [file.name for file in stored(folder.path)] == ["theta.slots"]


@pytest.mark.parametrize("shape", [(3, 2), (1,), (5, 1, 2, 3), (0, 2), (40, 50)])
def test_what_a_slot_holds_is_a_file_of_numpy(folder, shape):
    array = np.random.default_rng(0).normal(size=shape)
    for written in (of_table(array), of_table(array.T), with_momentum(array, array + 1.0)):
        folder.write(7, written)
        plain = io.BytesIO()
        np.save(plain, written.packed(), allow_pickle=False)
        assert read_slots(folder.path / "theta.slots") == {7: plain.getvalue()}


def test_a_snapshot_that_has_grown_finds_room(folder):
    folder.write(0, of_table(np.zeros(2)))
    folder.write(1, of_table(np.ones(2)))
    folder.write(2, with_momentum(np.arange(2000.0), np.arange(2000.0)))
    assert [array.shape for array in load_latest(folder.path).values()] == [(2,), (2,), (2000,)]


def test_with_momentum_the_origin_is_kept_beside_theta_and_only_the_agent_sees_it(folder):
    folder.write(0, of_table(theta(0)))
    folder.write(1, with_momentum(theta(1), theta(7)))
    assert held(folder) == expected(0, 1)
    before, after = load_snapshots(folder.path).values()
    assert not before.state
    assert after.table.tobytes() == theta(1).tobytes()
    assert after.state["theta"].tobytes() == theta(7).tobytes()
    assert after.digest == of_table(theta(1)).digest
    for array in (after.table, after.state["theta"]):
        assert not array.flags.writeable


def test_a_theta_of_several_arrays_is_one_file_too(folder):
    arrays = {"weight": theta(1), "bias": np.arange(3.0), "origin": np.array(2.0)}
    stored = Snapshot(arrays, {"weight": theta(2)})
    folder.write(3, stored)
    [back] = load_snapshots(folder.path).values()
    assert back.digest == stored.digest
    assert {name: array.tobytes() for name, array in back.theta.items()} == {
        name: array.tobytes() for name, array in arrays.items()
    }
    assert back.state["weight"].tobytes() == theta(2).tobytes()
    with pytest.raises(PolicyError, match="one array to be shown, got bias, origin, weight"):
        _ = back.table


def test_a_checkpoint_of_an_earlier_version_is_read():
    pair = np.zeros((3, 2), dtype=[("theta", "<f8"), ("origin", "<f8")])
    pair["theta"], pair["origin"] = theta(1), theta(7)
    snapshot = unpacked(pair)
    assert snapshot.table.tobytes() == theta(1).tobytes()
    assert snapshot.state["theta"].tobytes() == theta(7).tobytes()


def test_what_was_loaded_cannot_be_written_to(folder):
    folder.write(0, of_table(theta(0)))
    with pytest.raises(ValueError, match="read-only"):
        load_latest(folder.path)[0][0, 0] = 1.0


def test_a_death_in_the_midst_of_writing_leaves_the_theta_before(folder):
    folder.write(0, of_table(theta(0)))
    folder.tear(1, of_table(theta(1)))
    assert held(folder) == expected(0)
    folder.write(1, of_table(theta(1)))
    assert held(folder) == expected(0, 1)


@settings(max_examples=60)
@given(data=st.data())
def test_a_former_file_that_was_damaged_anywhere_is_left_out(data, tmp_path_factory):
    folder = CheckpointFolder(tmp_path_factory.mktemp("agent"), fsync=False)
    write_former(folder, 0, of_table(theta(0)))
    file = write_former(folder, 1, of_table(theta(1)))
    content = bytearray(file.read_bytes())
    if data.draw(st.booleans(), label="truncate"):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(content)
    assert held(folder) == expected(0)


def test_files_of_another_kind_are_left_out(folder):
    np.save(folder.path / "theta-00000004-0000000000000000.npy", theta(4))
    (folder.path / "theta-00000005-nonsense.npy").write_bytes(b"")
    (folder.path / "theta-00000006-0000000000000000.npy").mkdir()
    (folder.path / "notes.txt").write_text("mine")
    assert held(folder) == {}


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    assert load_latest(tmp_path / "nowhere") == {}


@pytest.mark.parametrize("name", ["pwrite", "fdatasync"])
def test_a_disk_that_fails_is_said_and_leaves_the_rounds_before(name, tmp_path, monkeypatch):
    folder = CheckpointFolder(tmp_path / "agent", fsync=True)
    folder.write(0, of_table(theta(0)))
    folder.write(1, of_table(theta(1)))
    with monkeypatch.context() as patched:
        patched.setattr(os, name, full_disk)
        with pytest.raises(StorageFailed, match="No space left on device"):
            folder.write(2, of_table(theta(2)))
    assert held(folder).items() >= expected(0, 1).items()
    folder.write(2, of_table(theta(2)))
    assert held(folder) == expected(0, 1, 2)
    folder.close()


@pytest.mark.parametrize("where", [(os, "pwrite"), (os, "fsync"), (os, "replace"), (builtins, "open")])
def test_a_disk_that_fails_at_the_first_writing_leaves_everything_as_it_was(where, tmp_path, monkeypatch):
    folder = CheckpointFolder(tmp_path / "agent", fsync=True)
    for round_ in (0, 1):
        folder.write(round_, of_table(theta(round_)))
    folder.rest()
    before = (folder.path / "theta.slots").read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(*where, full_disk)
        with pytest.raises(StorageFailed, match="No space left on device"):
            folder.write(2, of_table(theta(2)))
    assert (folder.path / "theta.slots").read_bytes() == before
    assert not list(folder.path.glob(".fence-*/*"))
    folder.close()


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFailed, match="cannot make"):
        CheckpointFolder(tmp_path / "file" / "agent")


def test_every_start_is_counted(folder):
    assert [folder.next_incarnation() for _ in range(3)] == [1, 2, 3]


def test_a_count_that_is_none_is_said(tmp_path):
    (tmp_path / "count").write_text("many")
    with pytest.raises(StorageFailed, match="must hold a number"):
        next_count(tmp_path / "count", fsync=False)


def test_an_identity_is_remembered(folder):
    assert folder.identity() is None
    folder.adopt(3, "digest")
    assert folder.identity() == (3, "digest")


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"agent": "x", "experiment": 1})])
def test_an_identity_that_is_none_is_said(folder, text):
    (folder.path / "agent.json").write_text(text)
    with pytest.raises(InputError, match=r"agent\.json cannot be read: "):
        folder.identity()


def test_thetas_that_nobody_says_whose_they_are_are_not_trusted(folder):
    folder.adopt(3, "digest")
    folder.write(0, of_table(np.zeros((2, 2))))
    assert folder.identity() == (3, "digest")
    (folder.path / "agent.json").unlink()
    with pytest.raises(StorageFailed, match=r"holds thetas, but no agent\.json") as told:
        folder.identity()
    assert "\n" not in str(told.value)


def test_a_file_is_replaced_in_one_step_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "file"
    write_atomically(file, b"old", fsync=True)
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
    with pytest.raises(StorageFailed, match="broken"):
        write_atomically(file, b"new", fsync=True)
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("why", [KeyboardInterrupt, MemoryError, SystemExit])
def test_whoever_is_interrupted_leaves_no_draft(why, tmp_path, monkeypatch):
    def interrupted(*_):
        raise why

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(why):
        write_atomically(tmp_path / "file", b"new", fsync=True)
    assert list(tmp_path.iterdir()) == []


def test_what_an_earlier_life_stores_while_it_loses_the_folder_is_there(folder, monkeypatch):
    """It was told that it is stored, and has told the others."""
    for round_ in range(3, 6):
        folder.write(round_, of_table(theta(round_)))
    read, waiting = checkpoint._read, [6, 7]

    def meanwhile(path):
        found = read(path)
        while waiting:
            folder.write(waiting[0], of_table(theta(waiting.pop(0))))
        return found

    monkeypatch.setattr(checkpoint, "_read", meanwhile)
    with closing(CheckpointFolder(folder.path, fsync=False)) as another:
        assert sorted(another.take_over())[-2:] == [6, 7]
        assert held(another) == expected(5, 6, 7)
        with pytest.raises(StorageFailed):
            folder.write(8, of_table(theta(8)))


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_holds_nothing(folder, make):
    make(folder.path / "theta.slots")
    assert folder.take_over() == {}


def test_an_earlier_life_puts_nothing_of_the_next_one_aside(folder):
    folder.adopt(0, "experiment")
    folder.write(0, of_table(theta(0)))
    with closing(CheckpointFolder(folder.path, fsync=False)) as another:
        another.take_over()
        with pytest.raises(StorageFailed, match="cannot archive"):
            folder.archive()
        assert another.identity() == (0, "experiment")
        another.write(1, of_table(theta(1)))
        assert held(another) == expected(0, 1)
        another.archive()
        assert (another.identity(), held(another)) == (None, {})


def test_what_was_taken_out_of_the_archive_does_not_count(folder):
    (folder.path / "archive" / "0002").mkdir(parents=True)
    folder.adopt(0, "experiment")
    folder.write(0, of_table(theta(0)))
    folder.archive()
    assert sorted(file.name for file in (folder.path / "archive").iterdir()) == ["0002", "0003"]
    assert load_latest(folder.path / "archive" / "0003").keys() == {0}


def test_an_earlier_life_puts_nothing_aside(folder):
    folder.adopt(0, "experiment")
    folder.write(0, of_table(theta(0)))
    with closing(CheckpointFolder(folder.path, fsync=False)) as another:
        another.take_over()
        another.write(1, of_table(theta(1)))
        with pytest.raises(StorageFailed, match="cannot archive"):
            folder.archive()
        assert not list(folder.path.glob("archive/*"))


def killed_in_archive(path, change):
    """Archive in a process that is killed before one of its changes; say whether it came to that."""
    child = os.fork()
    if child == 0:
        folder = CheckpointFolder(path, fsync=True)
        folder.fence  # noqa: B018 (taken over before)
        left = iter(range(change))

        def dying(do):
            def done(*given, **how):
                if next(left, None) is None:
                    os._exit(9)
                return do(*given, **how)

            return done

        for name in ("mkdir", "replace", "rename", "unlink"):
            setattr(os, name, dying(getattr(os, name)))
        folder.archive()
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 9


def test_whoever_is_killed_while_archiving_leaves_all_of_it_or_nobodys_folder(tmp_path):
    kills, ends = 0, set()
    for change in range(99):
        path = tmp_path / f"{change}"
        with closing(CheckpointFolder(path, fsync=False)) as folder:
            folder.adopt(3, "experiment")
            folder.write(0, of_table(theta(0)))
            folder.write(1, of_table(theta(1)))
        if not killed_in_archive(path, change):
            break
        kills += 1
        with closing(CheckpointFolder(path, fsync=False)) as folder:
            identity = folder.identity()
            assert folder.rounding_of_another_host() == ""
            kept = {round_: found.flat.tobytes() for round_, found in folder.take_over().items()}
            ends.add(identity)
            if identity is None:
                assert kept == {}
                (path,) = path.glob("archive/*")
                assert CheckpointFolder(path).identity() == (3, "experiment")
                assert held(CheckpointFolder(path)) == expected(0, 1)
                assert not stored(folder.path)
                folder.adopt(5, "another")
                assert folder.identity() == (5, "another")
            else:
                assert (identity, kept) == ((3, "experiment"), expected(0, 1))
    assert kills > 6
    assert ends == {None, (3, "experiment")}


def test_the_thetas_of_a_copy_made_of_hard_links_are_its_own_from_then_on(folder, tmp_path):
    folder.write(0, of_table(theta(0)))
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in filter(Path.is_file, folder.path.iterdir()):
        (copy / file.name).hardlink_to(file)
    before = (folder.path / "theta.slots").read_bytes()
    other = CheckpointFolder(copy, fsync=False)
    other.take_over()
    other.write(1, of_table(theta(1)))
    assert held(other) == expected(0, 1)
    other.close()
    assert (folder.path / "theta.slots").read_bytes() == before
