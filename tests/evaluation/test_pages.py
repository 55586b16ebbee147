"""What the pages on judging and certifying show is what comes out, from the top of a page to its end."""

import doctest
import json
import re
import shlex
from pathlib import Path

import pytest

from bnpg.__main__ import main

PAGES = Path(__file__).parents[2] / "docs" / "how-to"


def shown(page: str) -> list[tuple[str, str]]:
    """Every command of a page with the output that is shown below it."""
    blocks = re.findall(r"^```console\n(.*?)^```$", (PAGES / page).read_text(encoding="utf-8"), re.M | re.S)
    found = [re.split(r"^\$ (.*)\n", block, flags=re.M)[1:] for block in blocks]
    return [pair for parts in found for pair in zip(parts[::2], parts[1::2], strict=True)]


@pytest.mark.parametrize("page", ["judge-a-policy.md", "train-to-a-certificate.md"])
def test_the_page_shows_what_comes_out(
    page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bnpg.execution.draw_curves", lambda _run, _fence: "")
    for line, expected in shown(page):
        command, _, target = line.partition(" > ")
        code = main(shlex.split(command)[1:])
        heard = capsys.readouterr()
        assert code == (2 if "bnpg: error" in expected else 0), heard.err
        if target:
            Path(target).write_text(heard.out)
            assert json.loads(heard.out)
        else:
            got = heard.out + heard.err
            same = doctest.OutputChecker().check_output(expected, got, doctest.ELLIPSIS)
            assert same, f"$ {line}\nexpected:\n{expected}\ngot:\n{got}"
