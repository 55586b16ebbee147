"""A finished run whose `summary.json` somebody edited: shown, completed again, or refused in one line."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bnpg.__main__ import main

DELETED = object()
ODD = (DELETED, None, 5, -1.5, "odd", True, [None], {"odd": {"odd": {}}}, {"theorem_1": {"tight": {}}})


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "run"
    words = "--rounds 2 --lanes 2 --horizon 2 --launcher memory --no-fsync --quiet"
    assert main(["train", "climbing", *words.split(), "--out", str(folder)]) == 0
    assert (folder / "curves.png").exists(), "or resume completes the run, and shows no summary of others"
    return folder


@pytest.fixture(scope="module")
def keys(finished: Path) -> list[str]:
    return list(json.loads((finished / "summary.json").read_text()))


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: "deleted" if odd is DELETED else json.dumps(odd))
def test_an_edited_summary_is_no_defect(
    finished: Path, keys: list[str], odd: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = json.loads((finished / "summary.json").read_text())
    for at, key in enumerate((*keys, "notices")):
        folder = tmp_path / str(at)
        shutil.copytree(finished, folder)
        edited = {name: value for name, value in whole.items() if name != key}
        (folder / "summary.json").write_text(json.dumps(edited if odd is DELETED else edited | {key: odd}))
        code = main(["resume", str(folder), "--quiet"])
        said = capsys.readouterr().err
        assert code in {0, 2}, (key, odd, said)
        assert "defect" not in said, (key, odd, said)
