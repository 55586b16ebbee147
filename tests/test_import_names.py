"""The import names are the project's own: a user's folders of the same names as ours are in nobody's way."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOREIGN = ("agents", "coordinator", "protocol")
SCRIPT = """
import json, sys
import agents, coordinator, protocol
import bnpg

if __name__ == "__main__":
    run = bnpg.train("climbing", mode="exact", rounds=2, launcher=sys.argv[1], out=sys.argv[2])
    theirs = [module.NAME for module in (agents, coordinator, protocol)]
    print(json.dumps({"digest": run.summary["policy_digest"], "theirs": theirs}))
"""
TYPED = """
import bnpg

run = bnpg.train("climbing", mode="exact", rounds=1)
reveal_type(run)
bnpg.train(3)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's folder with packages of their own that are called as our folders are."""
    for name in FOREIGN:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f'NAME = "their {name}"\n')
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path


@pytest.mark.parametrize("launcher", ["memory", "local"])
def test_a_script_beside_foreign_packages_trains_and_keeps_its_imports(project: Path, launcher: str) -> None:
    ran = subprocess.run(
        [sys.executable, "script.py", launcher, str(project / "run")],
        cwd=project, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout.splitlines()[-1])
    assert answer["theirs"] == [f"their {name}" for name in FOREIGN]
    assert len(answer["digest"]) == 64


def test_a_type_checker_sees_our_types(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(TYPED)
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = true\n")
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "script.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert 'Revealed type is "bnpg.api.recorded.Run"' in checked.stdout, checked.stdout
    assert 'Argument 1 to "train" has incompatible type "int"' in checked.stdout
    assert "missing library stubs or py.typed" not in checked.stdout
