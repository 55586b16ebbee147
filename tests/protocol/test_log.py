"""What a process logs is on stderr and, where that is wanted, in a file that outlives it."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bnpg_protocol.process.log import open_log, write_log


def test_a_file_has_what_stderr_leaves_out(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "logs" / "one.log"
    for _ in range(2):
        log = open_log("bnpg-test", "text", "warning", file)
        write_log(log, "debug", "heard", {})
        write_log(log, "info", "welcomed", {"agent": 1})
        write_log(log, "warning", "refused", {"why": "two words"})
    lines = file.read_text().splitlines()
    assert [line.split("bnpg-test: ")[1] for line in lines] == 2 * [
        "welcomed agent=1",
        'refused why="two words"',
    ]
    told = capfd.readouterr().err
    assert ("welcomed" in told, told.count("refused")) == (False, 2)


def test_a_file_that_cannot_be_made_ends_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    log = open_log("bnpg-test", "text", "info", tmp_path / "file" / "one.log")
    write_log(log, "info", "welcomed", {})
    told = capfd.readouterr().err
    assert "no log is kept" in told
    assert "welcomed" in told


@pytest.mark.parametrize("what", ["link", "dangling link", "pipe", "pipe that is read", "device", "folder"])
def test_only_a_file_is_appended_to(what: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The folder may be from somebody else; and nobody waits for who reads a pipe."""
    mine, file, reader = tmp_path / "mine", tmp_path / "one.log", -1
    if what == "link":
        mine.write_text("mine\n")
    if "link" in what:
        file.symlink_to(mine)
    elif what == "device":
        file = Path("/dev/null")
    elif what == "folder":
        file.mkdir()
    else:
        os.mkfifo(file)
    if what == "pipe that is read":
        reader = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    log = open_log("bnpg-test", "text", "info", file)
    assert len(log.handlers) == 1
    write_log(log, "info", "welcomed", {})
    told = capfd.readouterr().err
    assert "no log is kept" in told
    assert "welcomed" in told
    assert not mine.exists() or mine.read_text() == "mine\n"
    if reader >= 0:
        assert os.read(reader, 1) == b""
        os.close(reader)


def test_a_full_disk_ends_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = open_log("bnpg-test", "text", "info", tmp_path / "one.log")
    file = log.handlers[1]
    assert isinstance(file, logging.FileHandler)
    file.setStream(open("/dev/full", "a", encoding="utf-8"))  # noqa: SIM115
    write_log(log, "info", "welcomed", {})
    told = capfd.readouterr().err
    assert "welcomed" in told
    assert "Traceback" not in told
    log.handlers = [logging.NullHandler()]


def test_a_defect_leaves_its_last_words(tmp_path: Path) -> None:
    file = tmp_path / "one.log"
    program = (
        "from pathlib import Path; from bnpg_protocol.process.log import open_log; "
        f"open_log('bnpg-test', 'text', 'info', Path({str(file)!r})); 1 / 0"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "ZeroDivisionError" in ended.stderr
    assert "ZeroDivisionError" in file.read_text()
