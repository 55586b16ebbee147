"""Every top folder says in a dozen lines what it is, and names nothing that is not there."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"agents": "bnpg_agents", "coordinator": "bnpg_coordinator", "protocol": "bnpg_protocol"}
NOT_CODE = {"docs", "requirements"}


def folders() -> list[str]:
    shown = subprocess.run(
        ["git", "ls-files", "*/*"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split("\n")
    names = {name.partition("/")[0] for name in shown if name and not name.startswith(".")}
    return sorted(names - NOT_CODE) or [*PACKAGES, "bnpg", "bnpg_files", "bnpg_math"]


@pytest.mark.parametrize("folder", folders())
def test_a_folder_says_briefly_what_is_in_it(folder: str) -> None:
    text = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 14
    named = re.findall(r"`([\w/.-]+(?:/|\.py|\.toml|\.sh|\.pml|\.json|\.yml|\.md))`", text)
    homes = [ROOT, ROOT / folder, ROOT / folder / PACKAGES.get(folder, "")]
    missing = [name for name in named if not any((home / name).exists() for home in homes)]
    assert named
    assert not missing
