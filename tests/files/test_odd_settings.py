"""Odd values of every key of an experiment file: each is one line that names the file, or it can be run.

`BNPG_EDGES=N` tries N times as many, at random; without it always the same are tried.
"""

import contextlib
import io
import os
import shutil
from pathlib import Path

import pytest
from bnpg_coordinator.experiment import Experiment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bnpg.__main__ import main

NUMBERS = ["-1", "0", "1", "2", "0.5", "-0.5", "1e400", "1e-320", "inf", "-inf", "nan"]
TOO_LARGE = ["9223372036854775808", "99999999999999999999", f"0x{'f' * 6000}", f"[0x{'f' * 6000}]"]
OTHER_TYPES = ["true", "[]", "[1]", '["a"]', "{}", "{a = 1}", "1979-05-27"]
TEXTS = [
    "",
    " ",
    "x",
    "zeros ",
    "é",
    "\\u0000",
    "\\u001b[2J",
    "a\\u0000.npz",
    "a.npz",
    ".",
    "/",
    "/dev/zero",
    "nan",
]
WORDS = [
    "auto",
    "certified",
    "ppo",
    "ppo:x",
    "counts:",
    "one-hot",
    "state:9",
    "mlp:",
    "mlp:0",
    "mlp:-1",
    "mlp:4",
]
WORDS += ["mlp:64,,64", "mlp:999999999", "0.1:x", "linear:0", "normal:0", "normal:-1", "normal:nan", "normal"]
VALUES = NUMBERS + TOO_LARGE + OTHER_TYPES + [f'"{text}"' for text in TEXTS + WORDS]
KEYS = [field.replace("_", "-") for field in Experiment.__struct_fields__ if field != "rounds"]
SUBJECTS = {
    "a game": {"game": '"climbing"', "lanes": "8", "horizon": "4"},
    "a simulator": {"game": '"spread"', "lanes": "2", "steps": "4", "policy": '"mlp:4"'},
}
BESIDE: dict[str, dict[str, str]] = {
    "nothing": {},
    "a network": {"policy": '"mlp:4"'},
    "ppo": {"policy": '"mlp:4"', "update": '"ppo"'},
}
EDGES = int(os.environ.get("BNPG_EDGES", "0"))


@given(
    subject=st.sampled_from(sorted(SUBJECTS)),
    beside=st.sampled_from(sorted(BESIDE)),
    key=st.sampled_from(KEYS),
    value=st.sampled_from(VALUES),
)
@settings(
    max_examples=150 * max(EDGES, 1),
    derandomize=not EDGES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@pytest.mark.timeout(900)
def test_an_odd_value_is_one_line_that_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subject: str, beside: str, key: str, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.rmtree("run", ignore_errors=True)
    fields = {"mode": '"sampled"', "rounds": "1"} | SUBJECTS[subject] | BESIDE[beside] | {key: value}
    text = "".join(f"{name} = {written}\n" for name, written in fields.items())
    Path("odd.toml").write_text(text, encoding="utf-8")
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = main(["train", "odd.toml", "--launcher", "memory", "--quiet", "--out", "run"])
    words = said.getvalue()
    assert code in (0, 2, 9), f"{code}: {words}"
    assert "Traceback" not in words
    assert "a defect of bnpg" not in words
    assert Path("run").exists() == (code != 2)
    if code == 2:
        (line,) = words.splitlines()
        assert line.startswith("bnpg: error: ")
        assert "odd.toml" in line
        assert line.isprintable()
