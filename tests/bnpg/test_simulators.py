"""Whole runs of simulators: one result under any launcher, refusals in a line, failures gone on from."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import psutil
import pytest
from bnpg_protocol.wire.exit_codes import ExitCode
from click.testing import CliRunner

import bnpg
from bnpg import environment_check, environment_speed
from bnpg.api.training import RunFailed
from bnpg.cli.root import bnpg as bnpg_command
from bnpg.environment_check import check_environment
from bnpg.experiment_plan import plan_experiment
from bnpg.lab.testing.scratch import title
from bnpg_math.errors import InputError

STRANGE = Path(__file__).parents[1] / "coordinator" / "environments" / "strange.py"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder of its own, in which the folders of runs that failed, kept to be resumed, go too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


RELAY = {"dag": "star", "rounds": 30, "steps": 2, "lanes": 128, "learning_rate": 20.0}


def test_relay_is_learnt_along_edges_and_not_without():
    along = bnpg.train("relay(agents=3)", **RELAY)
    assert along.summary["return_mean"] == 1.0
    assert along.summary["return_low"] <= 1.0 <= along.summary["return_high"]
    assert "all 100 returns were alike" in along.summary["return_interval_reason"]
    alone = bnpg.train("relay(agents=3)", **RELAY | {"dag": "empty"})
    assert alone.summary["return_mean"] < 0.6


def test_what_is_not_known_of_a_simulator_is_null_with_a_reason():
    run = bnpg.train("relay", **RELAY | {"rounds": 2})
    summary = json.loads((run.folder / "summary.json").read_text())
    for key in ("value", "nash_gap", "optimality_gap", "certificate"):
        assert summary[key] is None
        assert "model is not known" in summary[f"{key}_reason"]
    assert "model is not known" in summary["reason"]
    assert summary["return_episodes"] == 100
    assert summary["game"] == "relay(agents=4, goals=4, T=1)"


def test_one_digest_in_memory_and_as_processes():
    memory = bnpg.train("relay(agents=3)", **RELAY | {"rounds": 5})
    local = bnpg.train("relay(agents=3)", **RELAY | {"rounds": 5}, launcher="local")
    parts = bnpg.train("relay(agents=3)", **RELAY | {"rounds": 5, "parts": 3})
    kept = ("policy_digest", "return_mean", "return_low", "sampled_return_mean")
    assert len({tuple(run.summary[key] for key in kept) for run in (memory, local, parts)}) == 1


def test_parameters_are_typed_in_the_name_or_passed_on():
    plans = [
        plan_experiment({"game": "coordination(agents=2, T=5)"}),
        plan_experiment({"game": "coordination(agents=2)", "world": "T=5"}),
    ]
    assert {plan.name for plan in plans} == {"coordination(agents=2, epsilon=0.1, T=5)"}
    assert len({plan.digest for plan in plans}) == 1
    assert plan_experiment({"game": "coordination(agents=2)"}).game is not None


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"game": "climbing", "steps": 5}, "steps 5 needs a simulator, but climbing is a game"),
        ({"game": "climbing", "world": "a=1"}, "world a=1 needs a simulator, but climbing is a game"),
        ({"game": "relay", "mode": "exact"}, "mode exact needs a game"),
        ({"game": "relay", "evaluate-every": 5}, "evaluate-every needs a game"),
        ({"game": "relay", "learning-rate": "certified"}, "learning-rate certified needs a game"),
        ({"game": "relay", "horizon": 5}, "horizon is of games"),
        ({"game": "relay", "baseline": "centred"}, "baseline centred is of games"),
        ({"game": "spread"}, "agent 0 sees 18 numbers that may be any: give an encoder"),
        ({"game": "relay", "world": "goals"}, "world must be key=value, got 'goals'"),
        ({"game": "relya"}, "unknown game 'relya': did you mean 'relay'"),
        ({"game": "/"}, "/ is a folder, expected a game"),
        ({"game": "."}, "[.] is a folder, expected a game"),
        ({"game": "relay", "dag": "0-9"}, "edge 0-9 must join agents 0..3"),
        ({"game": "relay(agents=9, goals=30)", "dag": "complete"}, "the table of agent 5 is too large"),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_line(fields, why):
    with pytest.raises(InputError, match=why) as refused:
        plan_experiment(fields)
    assert "\n" not in str(refused.value)


def test_a_policy_is_saved_and_begun_from_though_agents_see_differently_much():
    first = bnpg.train("relay(agents=3)", **RELAY | {"rounds": 3}, save_policy=True)
    shutil.copy(first.folder / "policy.npz", "theta.npz")
    then = bnpg.train("relay(agents=3)", **RELAY | {"rounds": 0}, initial="theta.npz")
    assert then.summary["policy_digest"] == first.summary["policy_digest"]
    with pytest.raises(InputError, match="theta_0 must have shape"):
        bnpg.train("relay(agents=3, goals=5)", **RELAY, initial="theta.npz")


class TestOnesOwn:
    """Environments of a person, found in the working folder."""

    pytest.importorskip("gymnasium", reason="needs gymnasium: requirements/dev.txt")
    OPTIONS = {"rounds": 3, "steps": 12, "lanes": 8, "world": "masks=False"}  # noqa: RUF012

    @pytest.fixture(autouse=True)
    def module(self, here):
        shutil.copy(STRANGE, "strange.py")
        before = sys.modules.pop("strange", None)
        yield
        sys.modules.pop("strange", None)
        if before is not None:  # of other tests, which have it by now
            sys.modules["strange"] = before

    def test_they_train_and_the_team_hears_that_rewards_differ(self):
        with pytest.warns(match="agents of strange:Meeting.* get different rewards"):
            run = bnpg.train("strange:Meeting", **self.OPTIONS)
        assert run.summary["state"] == "done"
        assert run.summary["sampled_return_mean"] > 0

    @pytest.mark.filterwarnings("ignore:agents of")
    @pytest.mark.parametrize(
        ("kind", "why"),
        [("Unseeded", "is not a function of its seed"), ("CarriesOver", "is not a function of its seed")],
    )
    def test_what_does_not_play_the_same_again_is_refused_and_nothing_is_left(self, kind, why):
        with pytest.raises(InputError, match=why):
            bnpg.train(f"strange:{kind}", **self.OPTIONS)
        assert not Path("runs").exists()

    @pytest.mark.filterwarnings("ignore:agents of")
    def test_an_environment_that_raises_later_leaves_a_run_that_goes_on_when_it_is_mended(self):
        plain = bnpg.train("strange:Meeting", **self.OPTIONS)
        broken = "\n\nclass Later(Meeting):\n    def step(self, actions):\n"
        broken += "        if getattr(Later, 'broken', False): raise RuntimeError('the motor broke')\n"
        broken += "        return super().step(actions)\n"
        with Path("strange.py").open("a") as file:
            file.write(broken)
        sys.modules.pop("strange")

        def break_it(line):
            sys.modules["strange"].Later.broken = line["round"] == 0

        with pytest.raises(
            RunFailed, match=r"round 1, lane 0, step 0.*RuntimeError: the motor broke"
        ) as failed:
            bnpg.train("strange:Later", **self.OPTIONS, on_line=break_it)
        assert failed.value.code == ExitCode.WORLD
        sys.modules["strange"].Later.broken = False
        resumed = bnpg.resume(failed.value.folder)
        assert resumed.summary["policy_digest"] == plain.summary["policy_digest"]

    @pytest.mark.filterwarnings("ignore:agents of")
    @pytest.mark.parametrize(
        ("kind", "code", "why"),
        [
            (
                "Raises",
                ExitCode.WORLD,
                "lane 0, step 3, all agents: the environment raised RuntimeError: the motor",
            ),
            (
                "PaysNothingFinite",
                ExitCode.WORLD,
                "lane 0, step 1, agent b: the reward must be finite, got inf",
            ),
            (
                "SeesWrong",
                ExitCode.WORLD,
                "lane 0, step 2, agent a: the observation must hold what its space",
            ),
            (
                "Hangs",
                ExitCode.DEADLINE,
                "lane 0, step 3, all agents: the environment hangs, no answer for 0.5 s",
            ),
        ],
    )
    def test_one_that_fails_from_the_first_leaves_a_run_that_goes_on_when_it_is_mended(self, kind, code, why):
        plain = bnpg.train("strange:Meeting", **self.OPTIONS)
        with pytest.raises(RunFailed, match=f"round 0, {why}") as failed:
            bnpg.train(f"strange:{kind}", **self.OPTIONS, patience=1.0)
        assert failed.value.code == code
        mended = sys.modules["strange"]
        setattr(mended, kind, mended.Meeting)
        resumed = bnpg.resume(failed.value.folder)
        assert resumed.summary["policy_digest"] == plain.summary["policy_digest"]

    @pytest.mark.filterwarnings("ignore:agents of")
    def test_one_that_fails_and_is_mended_badly_is_refused(self):
        with pytest.raises(RunFailed, match="the motor broke") as failed:
            bnpg.train("strange:Raises", **self.OPTIONS)
        mended = sys.modules["strange"]
        mended.Raises = mended.CarriesOver
        with pytest.raises(InputError, match="is not a function of its seed"):
            bnpg.resume(failed.value.folder)

    @pytest.mark.filterwarnings("ignore:agents of")
    def test_masked_actions_are_never_taken_and_the_dead_learn_nothing_over_any_transport(self):
        options = self.OPTIONS | {"world": None, "rounds": 6, "learning_rate": 2.0, "dag": "line"}
        memory = bnpg.train("strange:Meeting", **options)  # which asserts that no masked action comes
        traced = bnpg.train("strange:Meeting", **options, launcher="local", trace=True, parts=2)
        other = bnpg.train("strange:Meeting", **options, launcher="local", transport="unix")
        digests = {one.summary["policy_digest"] for one in (memory, traced, other)}
        assert len(digests) == 1
        code, out, err = run(["trace", "check", str(traced.folder)])
        assert code == 0, err
        assert "is that of the run recomputed in memory, bit for bit" in out

    @pytest.mark.filterwarnings("ignore:agents of")
    def test_a_changed_environment_is_noticed_when_a_run_goes_on(self):
        run = bnpg.train("strange:Meeting", **self.OPTIONS)
        content = json.loads((run.folder / "run.json").read_text())
        (run.folder / "run.json").write_text(json.dumps(content | {"probe": "0" * 32}))
        experiment = run.folder / "experiment.toml"
        experiment.write_text(experiment.read_text().replace("rounds = 3", "rounds = 4"))
        with pytest.raises(InputError, match="plays differently than when the run began"):
            bnpg.resume(run.folder)

    @pytest.mark.filterwarnings("ignore:agents of")
    def test_a_program_hands_over_a_function_or_a_world(self):
        named = bnpg.train("strange:Meeting", **self.OPTIONS)
        kind = sys.modules["strange"].Meeting
        found = bnpg.train(env=kind, **self.OPTIONS | {"world": {"masks": False}})
        assert found.experiment.game == "strange:Meeting"
        local = bnpg.train(env=lambda: kind(masks=False), **self.OPTIONS | {"world": None})
        assert local.experiment.game.startswith("object:TestOnesOwn.test_a_program_hands_over")
        digests = {run.summary["policy_digest"] for run in (named, found, local)}
        assert len(digests) == 1
        with pytest.raises(InputError, match="launcher local needs an environment that other processes find"):
            bnpg.train(env=lambda: kind(masks=False), launcher="local")
        with pytest.raises(InputError, match="give either a game or env"):
            bnpg.train("relay", env=kind)
        with pytest.raises(InputError, match=r"env must be a name, a World, or a function .* got int"):
            bnpg.train(env=3)

    @pytest.mark.filterwarnings("ignore:agents of")
    def test_what_was_handed_over_is_handed_over_again_to_go_on(self):
        bnpg.train("strange:Meeting", **self.OPTIONS)
        kind = sys.modules["strange"].Meeting
        options = self.OPTIONS | {"world": None}
        whole = bnpg.train(env=lambda: kind(masks=False), **options)

        def stop(line):
            if line["round"] == 1:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            bnpg.train(env=lambda: kind(masks=False), **options, out="part", on_line=stop)
        with pytest.raises(InputError, match="handed over by a program and cannot be found again"):
            bnpg.resume("part")
        again = bnpg.resume("part", env=lambda: kind(masks=False))
        assert again.summary["policy_digest"] == whole.summary["policy_digest"]

    @pytest.mark.filterwarnings("ignore:agents of")
    def test_workers_step_the_same_bits_and_one_that_is_killed_leaves_a_run_that_goes_on(self):
        options = self.OPTIONS | {"rounds": 40}
        plain = bnpg.train("strange:Meeting", **options)
        workers = {"environment_workers": 2, "launcher": "local"}
        victims = []

        def kill(line):
            if victims:
                return
            victims.append(line)
            (one,) = [process for process, called in children() if called == "bnpg-environment-1"]
            one.kill()

        with pytest.raises(RunFailed, match="environment worker 1 died: killed by signal 9") as killed:
            bnpg.train("strange:Meeting", **options, **workers, on_line=kill)
        assert killed.value.code == ExitCode.WORLD
        resumed = bnpg.resume(killed.value.folder)
        assert resumed.summary["policy_digest"] == plain.summary["policy_digest"]
        memory = bnpg.train("strange:Meeting", **options, environment_workers=3)
        assert memory.summary["policy_digest"] == plain.summary["policy_digest"]
        assert not any(called.startswith("bnpg-environment") for _, called in children())
        with pytest.raises(InputError, match="environment_workers step environments of others, and climbing"):
            bnpg.train("climbing", environment_workers=2)

    @pytest.mark.filterwarnings("ignore:agents of")
    def test_a_coordinator_that_is_killed_and_one_that_raises_or_hangs_leave_a_run_that_goes_on(self):
        plain = bnpg.train("strange:Meeting", **self.OPTIONS)
        Path("faults.toml").write_text('[[kill]]\nprocess = "coordinator"\nphase = "recorded"\nround = 1\n')
        killed = bnpg.train("strange:Meeting", **self.OPTIONS, launcher="local", faults="faults.toml")
        assert killed.summary["policy_digest"] == plain.summary["policy_digest"]
        with Path("strange.py").open("a") as file:
            file.write(
                "\n\nimport pathlib\n\n\nclass Stuck(Meeting):\n    def step(self, actions):\n"
                "        record = pathlib.Path('hung/metrics.jsonl')\n"
                "        while pathlib.Path('stuck').exists() and record.exists() and record.read_bytes():\n"
                "            pass\n"
                "        return super().step(actions)\n"
            )
        sys.modules.pop("strange")
        Path("stuck").touch()
        with pytest.raises(RunFailed, match="the environment hangs, no answer for") as hung:
            bnpg.train("strange:Stuck", **self.OPTIONS, launcher="local", patience=2.0, out="hung")
        assert hung.value.code == ExitCode.DEADLINE
        Path("stuck").unlink()
        resumed = bnpg.resume(hung.value.folder)
        assert resumed.summary["policy_digest"] == plain.summary["policy_digest"]


def children():
    """Return the processes under this one, with what they call themselves."""
    return [(one, title(one)) for one in psutil.Process().children(recursive=True)]


def run(arguments):
    outcome = CliRunner().invoke(bnpg_command, arguments, standalone_mode=False)
    assert outcome.exception is None, outcome.exception
    return outcome.return_value, outcome.stdout, outcome.stderr


def test_env_check_says_what_an_environment_is_and_that_it_holds():
    code, out, err = run(["env", "check", "relay", "--world", "agents=2", "--world", "goals=3", "--json"])
    assert code == 0, err
    found = json.loads(out)
    assert found["world"] == "relay(agents=2, goals=3, T=1)"
    assert found["facts"]["actions"] == "3, 3"
    assert found["problems"] == []
    assert "played twice, it is the same to the bit" in found["passed"]


def test_env_check_ends_with_5_where_something_is_carried_over(here):
    pytest.importorskip("gymnasium", reason="needs gymnasium: requirements/dev.txt")
    shutil.copy(STRANGE, here / "strange.py")
    code, _, err = run(["env", "check", "strange:CarriesOver"])
    assert code == ExitCode.VIOLATION
    assert err.startswith("bnpg: error: played again after other episodes, it differs in what is seen")
    code, out, _ = run(["env", "check", "strange:CarriesOver", "--instances", "fresh"])
    assert code == 0
    assert "rewards" in out


def test_env_check_runs_the_peers_own_tests():
    pytest.importorskip("mpe2", reason="needs mpe2: requirements/dev.txt")
    code, out, err = run(["env", "check", "pettingzoo:mpe2.simple_spread_v3", "--world", "N=2", "--json"])
    assert code == 0, err
    passed = json.loads(out)["passed"]
    assert {"PettingZoo's parallel_api_test", "PettingZoo's parallel_seed_test"} <= set(passed)


def test_warnings_that_are_errors_do_not_spoil_the_check_of_an_environment():
    pytest.importorskip("mpe2", reason="needs mpe2: requirements/dev.txt")
    command = [sys.executable, "-m", "bnpg", "env", "check", "pettingzoo:mpe2.simple_spread_v3", "--json"]
    strict = os.environ | {"PYTHONWARNINGS": "error"}
    found = subprocess.run(
        [*command, "--world", "N=2"], capture_output=True, text=True, env=strict, check=False
    )
    assert found.returncode == 0, found.stderr
    assert "PettingZoo's parallel_api_test" in json.loads(found.stdout)["passed"]


def test_what_only_the_peers_tests_complain_of_is_a_warning(here):
    pytest.importorskip("pettingzoo", reason="needs pettingzoo: requirements/dev.txt")
    (here / "copies.py").write_text(
        "from pettingzoo import ParallelEnv\nfrom strange import Meeting\n\n\n"
        "class Copies(Meeting, ParallelEnv):\n    pass\n"
    )
    shutil.copy(STRANGE, here / "strange.py")
    code, _, err = run(["env", "check", "copies:Copies"])
    assert code == 0
    assert err.startswith("bnpg: warning: PettingZoo's parallel_api_test fails: AssertionError")


@pytest.mark.parametrize("command", ["play", "edges", "best-response"])
@pytest.mark.parametrize("more", [False, True])
def test_a_policy_of_another_number_of_states_is_refused(here, command, more):
    policy = bnpg.train("relay(agents=2)", **RELAY | {"rounds": 1}, save_policy=True, out="run").policy
    theta = policy.thetas[0]
    other = np.concatenate([theta, theta[:1]]) if more else theta[:-1]
    bnpg.save_policy(bnpg.Policy(policy.dag, (other, *policy.thetas[1:])), "other.npz")
    shutil.copy("other.npz", "run/policy.npz")
    ended = CliRunner().invoke(bnpg_command, [command, "run"])
    assert isinstance(ended.exception, InputError)
    why = f"run/policy.npz: theta of agent 0 must have shape {theta.shape}, got {other.shape}"
    assert str(ended.exception) == why


LATER = """
import os, time
from pettingzoo import ParallelEnv
from strange import Meeting


class Later(Meeting, ParallelEnv):
    def __init__(self):
        super().__init__()
        if os.environ.get("LATER") == "cannot be made":
            raise ValueError("no more of them")

    def step(self, actions):
        how = os.environ.get("LATER")
        if how == "raises":
            raise ValueError("worn out")
        if how == "hangs":
            time.sleep(600)
        return super().step(actions)
"""


@pytest.mark.parametrize(
    ("after", "how", "problem"),
    [
        ("_peers_tests", "raises", "lane 0, step 0, all agents: the environment raised ValueError: worn out"),
        ("_peers_tests", "hangs", "lane 0, step 0, all agents: the environment hangs, no answer for 2 s"),
        ("_seconds_a_step", "raises", "later:Later, alone: the environment raised ValueError: worn out"),
        ("_seconds_a_step", "hangs", "later:Later, alone: the environment hangs, no answer for 2 s"),
        ("_seconds_a_step", "cannot be made", "later:Later cannot be made: ValueError: no more of them"),
        ("_conforms", "cannot be made", "later:Later cannot be made: ValueError: no more of them"),
        ("_conforms", "hangs", "lane 0, step 0, all agents: the environment hangs, no answer for 2 s"),
    ],
)
def test_what_fails_late_in_a_check_is_told_beside_what_was_found(here, monkeypatch, after, how, problem):
    pytest.importorskip("pettingzoo", reason="needs pettingzoo: requirements/dev.txt")
    (here / "later.py").write_text(LATER)
    shutil.copy(STRANGE, here / "strange.py")
    monkeypatch.delenv("LATER", raising=False)
    module = environment_check if hasattr(environment_check, after) else environment_speed
    earlier = getattr(module, after)

    def then(*arguments):
        earlier(*arguments)
        monkeypatch.setenv("LATER", how)
        return 1.0

    monkeypatch.setattr(module, after, then)
    found = check_environment({"game": "later:Later"}, patience=2.0)
    assert found.problems == [problem]
    assert "played twice, it is the same to the bit" in found.passed
    hung = [text for text in found.complaints if text.endswith("it is not through after 2 s")]
    assert bool(hung) == ((after, how) == ("_conforms", "hangs"))
    assert "later:Later" in found.as_text()


def test_env_check_of_a_game_is_refused():
    with pytest.raises(InputError, match="climbing is no simulator"):
        check_environment({"game": "climbing"})


def with_a_module(here, folder):
    """A run of somebody else names a module and where it is; imported, it leaves a file."""
    bnpg.train("relay(agents=2)", **RELAY | {"rounds": 1}, trace=True, out=here / "theirs")
    (here / "theirs" / "of_theirs.py").write_text("open('ran', 'w')\ndef make(): raise ValueError('no')\n")
    file, experiment = here / "theirs" / "run.json", here / "theirs" / "experiment.toml"
    identity = json.loads(file.read_text())
    game = identity["experiment"]["game"]
    identity["experiment"]["game"] = "of_theirs:make"
    identity["simulator"] |= {"name": "of_theirs:make", "folder": folder}
    file.write_text(json.dumps(identity))
    experiment.write_text(experiment.read_text().replace(f'"{game}"', '"of_theirs:make"'))
    assert "of_theirs:make" in experiment.read_text()


@pytest.mark.parametrize("command", ["resume", "play", "edges", "best-response", "trace check"])
def test_a_run_folder_brings_no_module_of_its_own_along(here, command):
    """It may be from somebody else; which runs of simulators run code is in the threat model."""
    with_a_module(here, "theirs")
    ended = CliRunner().invoke(bnpg_command, [*command.split(), "theirs"])
    assert not (here / "ran").exists()
    assert isinstance(ended.exception, InputError)
    assert "folder must be an absolute path, got 'theirs'" in str(ended.exception)


def test_who_plays_nothing_imports_no_module_that_a_run_names(here):
    with_a_module(here, str(here / "theirs"))
    for asked in (
        *("runs .", "status theirs", "report theirs", "export theirs --to marl-eval --out marl.json"),
        "trace show theirs",
    ):
        ended = CliRunner().invoke(bnpg_command, asked.split())
        assert ended.exit_code == 0, (asked, ended.output, ended.exception)
    for asked, why in (("evaluate", "model is not known"), ("certificate check", "has no certificate.json")):
        ended = CliRunner().invoke(bnpg_command, [*asked.split(), "theirs"])
        assert why in str(ended.exception)
    assert not (here / "ran").exists()
    ended = CliRunner().invoke(bnpg_command, ["play", "theirs"])
    assert (here / "ran").exists(), "who plays it does"
