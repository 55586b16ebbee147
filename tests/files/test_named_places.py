"""Places that somebody names: who cannot write there ends with one line, which tells who is at fault."""

import errno
import json
import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bnpg_protocol.wire.errors import StorageFailed

import bnpg
from bnpg.__main__ import main
from bnpg.named_place import check_place, unwritable, write_named
from bnpg_math.errors import InputError

MADE_WITH_THEIR_FOLDERS = {
    "export run --to safetensors --out": "folder",
    "export run --to marl-eval --out": "runs.json",
    "examples --out": "examples",
    "examples coordination.toml --out": "one.toml",
    "keys new --agents 2": "keys",
    "train climbing --mode exact --rounds 1 --launcher memory --quiet --out": "fresh",
    "sweep grid.toml --quiet --out": "sweep",
    "verify --quick --quiet --out": "found",
}
IN_A_FOLDER_THAT_IS_THERE = {
    "report run --out": "page.html",
    "dag advise climbing --report": "page.html",
    "evaluate run --gradient-out": "gradient.npz",
    "evaluate run --best-response": "answers.npz",
    "trace show run --out": "drawn.svg",
    "trace show run --perfetto": "drawn.json",
    "games export climbing": "fresh.npz",
    "convert game.npz": "again.npz",
    "play run --episodes 1 --video": "seen.gif",
    "keys seal": "seal.key",
}
SLOW = {"verify --quick --quiet --out"}
"""Of which one place is enough."""
COMMANDS = MADE_WITH_THEIR_FOLDERS | IN_A_FOLDER_THAT_IS_THERE


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("named")
    bnpg.train("climbing", mode="exact", rounds=1, launcher="local", out=folder / "run", trace=True)
    assert main(["games", "export", "climbing", str(folder / "game.npz")]) == 0
    (folder / "grid.toml").write_text('[base]\nmode = "exact"\nrounds = 1\n[grid]\ngame = ["climbing"]\n')
    return folder


@contextmanager
def no_room() -> Iterator[None]:
    """Let no file have a size, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def everything(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - SLOW))
def test_a_full_disk_is_no_wrong_usage(
    scene: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.chdir(scene)
    before = everything(scene)
    with no_room():
        code = main([*command.split(), COMMANDS[command]])
    said = capsys.readouterr().err
    assert code == 7, said
    assert said.count("bnpg: error: ") == 1
    assert "File too large" in said
    assert everything(scene) == before


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_place_that_cannot_be_is_wrong_usage(
    scene: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.chdir(scene)
    before = everything(scene)
    code = main([*command.split(), f"/proc/no/{COMMANDS[command]}"])
    said = capsys.readouterr().err
    assert code == 2, said
    assert said.splitlines()[-1].startswith("bnpg: error: ")
    assert "/proc/no" in said
    assert everything(scene) == before


def test_what_was_measured_is_shown_though_it_cannot_be_kept(
    scene: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hours of measuring are not lost to the folder of a run that takes no file."""
    monkeypatch.chdir(scene)
    small = ["--lanes", "8", "--rounds", "1", "--episodes", "4", "--agent", "0", "--json", "--quiet"]
    (scene / "run" / "best-response.json").mkdir()
    assert main(["best-response", "run", *small]) == 2
    told = capsys.readouterr()
    assert json.loads(told.out)
    assert "best-response.json cannot be written: Is a directory" in told.err
    (scene / "run" / "edges.json").mkdir()
    assert main(["edges", "run", "--episodes", "500", "--json", "--quiet"]) == 2
    told = capsys.readouterr()
    assert json.loads(told.out)
    assert "edges.json cannot be written: Is a directory" in told.err


def test_no_room_for_temporary_files_is_no_defect(
    scene: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(scene)
    monkeypatch.setattr(tempfile, "tempdir", None)  # as at the beginning of a process
    with no_room():
        assert main(["best-response", "run", "--lanes", "8", "--rounds", "1", "--quiet"]) == 7
    said = capsys.readouterr().err
    assert said.startswith(
        "bnpg: error: no file can be made in any folder for temporary ones (TMPDIR), tried "
    )
    assert said.count("\n") == 1


def test_a_folder_is_asked_before_anything_is_computed_for_it(tmp_path: Path) -> None:
    check_place(tmp_path / "page.html")
    with pytest.raises(
        InputError, match=r"--out .*/no/page.html cannot be written: there is no folder .*/no$"
    ):
        check_place(tmp_path / "no" / "page.html", "--out")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="there is no folder"):
        check_place(tmp_path / "file" / "page.html")


def test_a_folder_of_others_is_asked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who runs the tests may be root, whom no permission keeps out."""
    monkeypatch.setattr(os, "access", lambda *_asked: False)
    with pytest.raises(InputError, match=r"page.html cannot be written: Permission denied"):
        check_place(tmp_path / "page.html")
    monkeypatch.setattr(os, "statvfs", lambda _folder: SimpleNamespace(f_flag=os.ST_RDONLY))
    with pytest.raises(StorageFailed, match=r"page.html cannot be written: Read-only file system"):
        check_place(tmp_path / "page.html")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG])
def test_what_the_machine_is_short_of_is_storage(number: int) -> None:
    failure = unwritable("page.html cannot be written", OSError(number, os.strerror(number)))
    assert isinstance(failure, StorageFailed)
    assert str(failure) == f"page.html cannot be written: {os.strerror(number)}"


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOENT, errno.EISDIR, errno.ENAMETOOLONG])
def test_what_the_place_is_not_is_input(number: int) -> None:
    assert isinstance(unwritable("it", OSError(number, os.strerror(number))), InputError)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    write_named(file, b"old")
    with no_room(), pytest.raises(StorageFailed, match=r"page.html cannot be written: File too large"):
        write_named(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_that_somebody_names_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link, real = tmp_path / "page.html", tmp_path / "real" / "page.html"
    link.symlink_to(real)
    for content in (b"first", b"second"):
        check_place(link)
        write_named(link, content)
        assert link.is_symlink()
        assert real.read_bytes() == content
        assert list(real.parent.iterdir()) == [real]
    link.unlink()
    link.symlink_to(tmp_path / "no" / "page.html")
    with pytest.raises(InputError, match=f"there is no folder {tmp_path}/no"):
        check_place(link)


def test_a_link_in_a_folder_of_somebody_else_is_not(tmp_path: Path) -> None:
    link, precious = tmp_path / "edges.json", tmp_path / "precious"
    precious.write_bytes(b"precious")
    for target in (precious, Path("/dev/null"), Path("nowhere")):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        check_place(link, followed=False)
        write_named(link, b"measured", followed=False)
        assert (link.is_symlink(), link.read_bytes()) == (False, b"measured")
    assert precious.read_bytes() == b"precious"


@pytest.mark.parametrize("what", ["pipe", "link to a pipe", "link to a device", "open pipe", "circle"])
def test_what_is_no_file_is_not_replaced_by_one(tmp_path: Path, what: str) -> None:
    """Else whoever is root has a file in the place of /dev/null."""
    file, pipe, (reading, writing) = tmp_path / "page.html", tmp_path / "pipe", os.pipe()
    os.mkfifo(pipe)
    targets = {
        "link to a pipe": pipe,
        "link to a device": "/dev/null",
        "open pipe": f"/proc/self/fd/{writing}",  # as /dev/stdout may be
        "circle": file,
    }
    if what == "pipe":
        pipe.rename(file)
    else:
        file.symlink_to(targets[what])
    before = file.lstat()
    for write in (check_place, lambda place, called: write_named(place, b"content", called)):
        with pytest.raises(InputError, match=r"--out .*html cannot be written: (expected a reg|Too many)"):
            write(file, "--out")
    assert file.lstat() == before
    if what == "pipe":
        with pytest.raises(InputError, match="expected a regular file"):
            write_named(file, b"content", followed=False)
        assert file.is_fifo()
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("command", ["report run --force --out", "trace show run --perfetto"])
def test_a_command_refuses_it_before_anything_is_computed(
    scene: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.chdir(scene)
    os.mkfifo("pipe")
    assert main([*command.split(), "pipe"]) == 2
    assert "pipe cannot be written: expected a regular file" in capsys.readouterr().err
    assert (scene / "pipe").is_fifo()
    (scene / "pipe").unlink()


def test_the_report_of_a_folder_of_somebody_else_overwrites_nothing_elsewhere(
    scene: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    (scene / "run" / "report.html").symlink_to(precious)
    assert main(["report", str(scene / "run")]) == 0
    assert precious.read_bytes() == b"precious"
    assert not (scene / "run" / "report.html").is_symlink()
    (scene / "run" / "report.html").unlink()


@pytest.mark.parametrize("write", [check_place, lambda place, called: write_named(place, b"content", called)])
def test_a_name_that_is_too_long_for_a_file_is_said_with_its_option(tmp_path: Path, write: Any) -> None:
    with pytest.raises(InputError, match=r"^--out .* cannot be written: File name too long$"):
        write(tmp_path / ("n" * 300), "--out")
