"""What a person sees while packages are installed."""

import doctest
import importlib.util
import io
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PIP = """
print('Collecting numpy==2.0 (from -r run.txt (line 1))', flush=True)
print('  Downloading numpy-2.0.whl (20 MB)', flush=True)
print('Collecting scipy==1.0 (from -r run.txt (line 3))', flush=True)
print('Installing collected packages: scipy, numpy', flush=True)
"""


@pytest.fixture(scope="module")
def installer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("install", ROOT / "requirements" / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    path = tmp_path / "run.txt"
    path.write_text("numpy==2.0 \\\n    --hash=sha256:00\nscipy==1.0 \\\n    --hash=sha256:00\n")
    return path


def shown(installer: ModuleType, pins: Path, script: str, *, terminal: bool) -> tuple[int, str]:
    out, seconds = io.StringIO(), iter(range(0, 10**6, 31))
    command = (sys.executable, "-c", script)
    code = installer.install(str(pins), command, out, terminal, clock=lambda: float(next(seconds)))
    return code, out.getvalue()


def test_the_examples_come_out_as_shown(installer: ModuleType) -> None:
    failed, tried = doctest.testmod(installer)
    assert tried
    assert not failed


def test_a_terminal_shows_each_package_in_one_line(installer: ModuleType, pins: Path) -> None:
    code, text = shown(installer, pins, PIP, terminal=True)
    assert code == 0
    assert "fetching 1 of 2: numpy" in text
    assert "fetching 2 of 2: scipy" in text
    assert "unpacking 2 packages" in text
    *_, last = text.split("\r\033[K")
    assert last.startswith("installed ")
    assert text.count("\n") == 1


def test_a_log_gets_plain_lines(installer: ModuleType, pins: Path) -> None:
    code, text = shown(installer, pins, PIP, terminal=False)
    assert code == 0
    assert text.startswith("installing ")
    assert "\r" not in text
    assert "\033" not in text


@pytest.mark.parametrize("terminal", [True, False])
def test_what_pip_said_is_shown_where_it_fails(installer: ModuleType, pins: Path, terminal: bool) -> None:
    script = "import sys; print('ERROR: no matching distribution', file=sys.stderr); sys.exit(3)"
    code, text = shown(installer, pins, script, terminal=terminal)
    assert code == 3
    assert "ERROR: no matching distribution" in text
    assert "installed" not in text


def test_every_target_that_installs_pins_shows_it() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert "--require-hashes" not in makefile
    assert makefile.count("requirements/install.py requirements/") == 8
