"""Train our networks without edges on `spread`, as a peer does its own."""

import json
import sys
import time

import numpy as np

import bnpg

LANES, LENGTH = 128, 25
SETTINGS = {
    "policy": "mlp:64,64", "update": "ppo", "epochs": 10, "learning_rate": 7e-4, "critic_learning_rate": 7e-4,
    "entropy": 0.01, "longest_gradient": 10.0, "lanes": LANES, "steps": LENGTH,
    "evaluate_every": 0, "fsync": False,
}  # fmt: skip
"""The peer's, where there is a setting of the same meaning."""


def train(steps: int, seed: int) -> dict[str, float]:
    """Train one team in memory, and return its last training returns and how long it took."""
    rounds = steps // (LANES * LENGTH)
    began, used = time.monotonic(), time.process_time()
    run = bnpg.train("spread", dag="empty", rounds=rounds, seed=seed, **SETTINGS)
    seconds, cpu = time.monotonic() - began, time.process_time() - used
    returns = [line["return_mean"] for line in run.lines if line.get("return_mean") is not None]
    last = returns[-max(1, len(returns) // 10) :]
    return {"return": float(np.mean(last)), "seconds": seconds, "cpu_seconds": cpu}


if __name__ == "__main__":
    sys.stdout.write(f"\n{json.dumps(train(int(sys.argv[1]), int(sys.argv[2])))}\n")
