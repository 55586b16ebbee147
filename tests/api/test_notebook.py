"""The notebook of the documents runs, and shows what it showed when it was written."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


@pytest.fixture
def renewing(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("renew_notebook", DOCS / "renew_notebook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def shown(notebook: Any) -> list[dict[str, str]]:
    """What every cell of code shows, by its kind; pictures by their being there."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            parts: dict[str, str] = {}
            for output in cell.outputs:
                assert output.output_type in ("execute_result", "stream"), output
                if output.output_type == "stream":
                    assert output.name == "stdout", output.text
                    parts["stdout"] = output.text
                else:
                    parts |= {k: "" if k.startswith("image/") else v for k, v in output.data.items()}
            found.append(parts)
    return found


def test_the_notebook_shows_what_it_showed(renewing: ModuleType, here: Path) -> None:
    import nbformat

    kept = shown(nbformat.read(renewing.NOTEBOOK, as_version=4))
    now = shown(renewing.run_again(here))
    assert [one.keys() for one in now] == [one.keys() for one in kept]
    for before, after in zip(kept, now, strict=True):
        for kind, text in before.items():
            assert NUMBER.sub("#", after[kind]) == NUMBER.sub("#", text)
            numbers = [[float(one) for one in NUMBER.findall(each)] for each in (text, after[kind])]
            # Other processors differ in last digits, which is all there is of a gap of 0.
            assert numbers[1] == pytest.approx(numbers[0], rel=1e-3, abs=1e-9)
    assert any("image/png" in one for one in kept)
    assert sum("text/html" in one for one in kept) > 5
