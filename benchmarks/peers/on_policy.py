"""Train on-policy's MAPPO on our `spread`, and print what it came to: `python -m benchmarks.peers.on_policy`.

https://github.com/marlbenchmark/on-policy, with networks that are not shared, as ours are not: its code, its
settings for this world, our environment. What its runner imports and does not need here is replaced by
nothing.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.peers.many_spreads import ManySpreads

NOT_NEEDED = ("absl", "imageio", "tensorboardX", "wandb")
SETTINGS = (
    "--env_name", "MPE", "--algorithm_name", "mappo", "--episode_length", "25",
    "--num_mini_batch", "1", "--ppo_epoch", "10", "--use_ReLU", "--gain", "0.01", "--lr", "7e-4",
    "--critic_lr", "7e-4", "--n_training_threads", "1", "--use_wandb", "--share_policy", "--cuda",
)  # fmt: skip
"""Those of its script for spread. The last three are switches that turn off what they name."""
LANES = 128


class Nothing:
    """Takes whatever is asked of it."""

    def __init__(self, *_args: Any, **_options: Any) -> None:
        pass

    def __getattr__(self, _name: str) -> Any:
        return lambda *_args, **_options: None


def without_the_rest() -> None:
    """Replace modules that are imported and not used here."""
    for name in NOT_NEEDED:
        module = ModuleType(name)
        vars(module).update(SummaryWriter=Nothing, flags=Nothing())
        sys.modules[name] = module


def train(source: Path, steps: int, seed: int) -> dict[str, float]:
    """Train one team, and return its last training returns and how long it took."""
    import torch

    without_the_rest()
    sys.path.insert(0, str(source))
    from onpolicy.config import get_config
    from onpolicy.runner.separated.mpe_runner import MPERunner

    words = [*SETTINGS, "--seed", str(seed), "--n_rollout_threads", str(LANES), "--num_env_steps", str(steps)]
    settings = get_config().parse_args([*words, "--log_interval", "1000000", "--save_interval", "1000000"])
    settings.use_recurrent_policy = settings.use_naive_recurrent_policy = False
    settings.num_agents, settings.scenario_name = 3, "simple_spread"
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    np.random.seed(seed)  # noqa: NPY002 (its own code draws from there)
    envs = ManySpreads(LANES, seed)
    with tempfile.TemporaryDirectory() as scratch:
        runner = MPERunner(
            {
                "all_args": settings,
                "envs": envs,
                "eval_envs": None,
                "num_agents": 3,
                "device": torch.device("cpu"),
                "run_dir": Path(scratch),
            }
        )
        began, used = time.monotonic(), time.process_time()
        runner.run()
        seconds, cpu = time.monotonic() - began, time.process_time() - used
    last = envs.returns[-max(1, len(envs.returns) // 10) :]
    return {"return": float(np.mean(last)), "seconds": seconds, "cpu_seconds": cpu}


if __name__ == "__main__":
    found = train(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.write(f"\n{json.dumps(found)}\n")
