"""The commands that the tutorial and the pages on reports and watching show come out as shown."""

import glob
import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from bnpg.__main__ import main

ROOT = Path(__file__).parent.parent
QUICK = ["--launcher", "memory", "--quiet", "--no-fsync"]
"""How a run is made quicker without another result."""


def shown(page: str) -> dict[str, str]:
    """The output that is shown below each `bnpg` command of a page."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found = {}
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.M | re.S):
        parts = re.split(r"^\$ (.*)\n", re.sub(r"\\\n\s*", "", block), flags=re.M)[1:]
        found.update(zip(parts[::2], parts[1::2], strict=True))
    return {command: output for command, output in found.items() if command.startswith("bnpg ")}


def words(command: str) -> list[str]:
    """What a shell would hand to `bnpg`."""
    parts = shlex.split(command)[1:]
    return [word for part in parts for word in (sorted(glob.glob(part)) if "*" in part else [part])]


def timeless(text: str) -> str:
    """Without what differs from one run to the next, or where a processor rounds otherwise.

    These are times and sizes, how many processes there were, and digits behind the twelfth decimal.
    """
    text = re.sub(r"(\.\d{12})\d+", r"\1", text)
    return re.sub(r"in [\d.]+ (?:min [\d.]+ )?m?s \([\d.]+ rounds/s\), \d+ process\w*|\d+ KiB", "..", text)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bnpg.execution.draw_curves", lambda *_: "")
    return tmp_path


def test_the_tutorial(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "examples").symlink_to(ROOT / "examples")
    for block in re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/tutorial.md").read_text(), re.M | re.S):
        exec(compile(block, "tutorial.md", "exec"), {})  # noqa: S102 (the page is ours)
    for command, output in shown("tutorial.md").items():
        if "runs/long" in command or "runs/again" in command or command == "bnpg games":
            continue  # the first takes long, the others are of no other kind or need a key pressed
        trains = command.startswith("bnpg train")
        assert main([*words(command), *(QUICK if trains else [])]) == 0, command
        heard = timeless(capsys.readouterr().out)
        for line in timeless(output).splitlines():
            assert line in ("...", "") or line in heard, f"$ {command}\nshows {line!r}, got:\n{heard}"
    digests = {
        name: json.loads((here / "runs" / name / "summary.json").read_text())["policy_digest"]
        for name in ("empty", "0-1", "wifi")
    }
    assert digests["wifi"] == digests["0-1"] != digests["empty"]


def test_the_page_on_pruning(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command, output in shown("how-to/prune-a-graph.md").items():
        if "--dag learned" in command:
            continue  # the same again, in one
        trains = command.startswith("bnpg train")
        assert main([*words(command), *(QUICK if trains else ["--quiet"])]) == 0
        heard = capsys.readouterr().out
        assert trains or heard.startswith(output), heard


def test_the_page_on_reports(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, report, compare = list(shown("how-to/look-at-a-run.md").items())[:3]
    assert main([*words(train[0]), *QUICK, "--rounds", "3"]) == 0
    capsys.readouterr()
    assert main(words(report[0])) == 0
    assert timeless(capsys.readouterr().out) == timeless(report[1])
    for dag in ("empty", "complete"):
        for seed in ("0", "1"):
            options = ["--dag", dag, "--seed", seed, "--mode", "exact", "--rounds", "2"]
            assert main(["train", "climbing", *options, "--out", f"runs/{dag}-{seed}", *QUICK]) == 0
    assert main(words(compare[0])) == 0
    assert "paired differences" in (here / "empty-or-complete.html").read_text(encoding="utf-8").lower()


@pytest.mark.parametrize("command", [line for line in shown("how-to/watch-a-run.md") if "runs/mine" in line])
def test_the_page_on_watching(command: str, here: Path) -> None:
    options = ["--mode", "exact", "--rounds", "2", "--out", "runs/mine"]
    assert main(["train", "climbing", *options, *QUICK]) == 0
    (here / "token").touch(mode=0o600)
    (here / "token").write_text("0123456789abcdef")
    asked = words(re.sub(r"--listen \S+", "", command))
    line = [sys.executable, "-P", "-m", "bnpg", *asked, "--listen", "127.0.0.1:0"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as watching:
        try:
            assert watching.stdout is not None
            url = watching.stdout.readline().strip()
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", url)
            if "--token-file" in command:
                with pytest.raises(HTTPError) as refused:
                    urlopen(url, timeout=30)  # noqa: S310 (ours)
                assert refused.value.code in (401, 403)
            bearer = {"Authorization": "Bearer 0123456789abcdef"}
            with urlopen(Request(f"{url}health", headers=bearer), timeout=30) as health:  # noqa: S310 (ours)
                assert set(json.load(health)) >= {"well", "state"}
            watching.send_signal(signal.SIGINT)
            assert watching.wait(30) == 0
        finally:
            watching.kill()
