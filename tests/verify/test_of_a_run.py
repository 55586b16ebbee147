"""`bnpg verify --run DIR`: no value falls in an exact run where Theorems A and B hold, and a fall is seen."""

import json

import pytest

import bnpg
from bnpg.__main__ import main
from bnpg.lab.verify import of_a_run

OPTIONS = {
    "mode": "exact", "rounds": 12, "launcher": "memory", "fsync": False, "evaluate_every": 12,
    "learning_rate": 2.0,
}  # fmt: skip


def verified(capsys, folder):
    code = main(["verify", "--run", str(folder), "--json"])
    return code, json.loads(capsys.readouterr().out or "null")


@pytest.mark.parametrize("direction", ["gradient", "natural"])
def test_nothing_falls_in_a_run(tmp_path, capsys, direction):
    bnpg.train("climbing", dag="complete", direction=direction, out=tmp_path / "a", **OPTIONS)
    code, found = verified(capsys, tmp_path / "a")
    assert code == 0
    assert found["largest_fall"] <= found["rounding"] < 1e-9
    assert (found["rounds"], found["nodes"], found["same_policy"]) == (12, 1 + 3 + 9, True)
    assert main(["verify", "--run", str(tmp_path / "a")]) == 0
    assert "12 updates, 13 values after each" in capsys.readouterr().out


def test_a_fall_and_another_policy_are_violations(tmp_path, capsys, monkeypatch):
    bnpg.train("climbing", dag="complete", out=tmp_path / "a", **OPTIONS)
    monkeypatch.setattr(of_a_run, "largest_fall", lambda *_: 0.25)
    summary = json.loads((tmp_path / "a" / "summary.json").read_text())
    (tmp_path / "a" / "summary.json").write_text(json.dumps(summary | {"policy_digest": "0" * 64}))
    assert main(["verify", "--run", str(tmp_path / "a")]) == 5
    said = capsys.readouterr().err
    assert "a value falls by 0.25 in update 1" in said
    assert "the policy of the run is not that of its experiment" in said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"dag": "empty"}, "this run has DAG empty"),
        ({"regularization": 0.5}, "this one has regularization 0.5"),
        ({"mode": "sampled", "lanes": 4}, "this one has mode sampled"),
        ({"step_size": "backtracking"}, "this one has step-size backtracking"),
    ],
)
def test_other_runs_are_refused_in_a_line(tmp_path, capsys, changed, said):
    bnpg.train("climbing", **({"dag": "complete"} | OPTIONS | changed), out=tmp_path / "a")
    capsys.readouterr()
    assert main(["verify", "--run", str(tmp_path / "a")]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
