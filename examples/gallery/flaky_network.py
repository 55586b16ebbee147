# %% [markdown]
# # A flaky network, and the same result
#
# The result of a run is a function of the experiment and its seed, and of nothing else. So a run over a
# network that loses, delays, repeats and reorders messages, and in which processes are killed, has to come to
# the very bits of the undisturbed one. It only takes longer.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import bnpg

FIGURES = Path("figures")
FIGURES.mkdir(exist_ok=True)
scratch = tempfile.TemporaryDirectory(prefix="bnpg-gallery-")
plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left"}
CALM, FLAKY, FAINT = "#0b3c5d", "#d1495b", "#9a9a9a"

# %% [markdown]
# ## The plan of faults
#
# Plans are seeded: the same plan strikes the same way again.

# %%
KILLED = 8
plan = Path(scratch.name, "flaky.toml")
plan.write_text(f"""
seed = 1

[[delay]]                       # every message comes some milliseconds late
distribution = "lognormal"
seconds = 0.002

[[drop]]                        # one in thirty is lost
probability = 0.03

[[duplicate]]                   # one in fifty comes twice
probability = 0.02

[[reorder]]                     # some overtake others
probability = 0.02
depth = 2

[[kill]]                        # and agent 1 is killed in the middle of a round
process = "agent-1"
phase = "sending"
round = {KILLED}
turn = 3
""")

# %% [markdown]
# ## Three runs of one experiment
#
# In memory, as four real processes, and as four real processes that the plan strikes.

# %%
experiment = {
    "game": "coordination(agents=3)", "dag": "line", "rounds": 16, "lanes": 512, "horizon": 6,
    "learning_rate": 6.0, "evaluate_every": 0, "fsync": False,
}  # fmt: skip
in_memory = bnpg.train(**experiment, out=Path(scratch.name, "memory"))
calm = bnpg.train(**experiment, launcher="local", out=Path(scratch.name, "calm"))
flaky = bnpg.train(
    **experiment, launcher="local", faults=plan, log_level="error", out=Path(scratch.name, "flaky")
)
for name, run in (("in memory", in_memory), ("as processes", calm), ("struck", flaky)):
    print(f"{name:<13} {run.summary['seconds']:6.2f} s   {run.policy.digest}")
assert in_memory.policy.digest == calm.policy.digest == flaky.policy.digest

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained")
rounds = calm.columns["round"][:-1]
left.plot(rounds, calm.columns["return_mean"][:-1], color=CALM, linewidth=6, alpha=0.35, label="undisturbed")
left.plot(
    rounds, flaky.columns["return_mean"][:-1], "o", color=FLAKY, markersize=4.5, label="struck by the plan"
)
left.set(xlabel="round", ylabel="return of the round's episodes")
left.set_title("The same learning curve, bit for bit")
left.legend(frameon=False, loc="lower right")
left.text(
    0.02, 0.97, f"SHA-256 of both policies\n{flaky.policy.digest[:32]}\n{flaky.policy.digest[32:]}",
    transform=left.transAxes, va="top", family="monospace", fontsize=8.5, color="#555555",
)  # fmt: skip
left.margins(y=0.28)

for run, colour, name in ((calm, CALM, "undisturbed"), (flaky, FLAKY, "struck")):
    seconds = np.cumsum(run.columns["seconds"] - (run.columns["round"] == 0) * run.columns["seconds"][0])
    right.plot(run.columns["round"], seconds, color=colour, linewidth=2.2)
    right.annotate(
        name, (run.columns["round"][-1], seconds[-1]), textcoords="offset points", xytext=(-4, 7), ha="right",
        color=colour, fontweight="bold",
    )  # fmt: skip
right.axvline(KILLED, color=FAINT, linestyle=(0, (4, 3)), linewidth=1)
right.text(
    KILLED - 0.3, 0.97, "agent 1 is killed\nand comes back",
    transform=right.get_xaxis_transform(), va="top", ha="right", color="#666666", fontsize=9,
)  # fmt: skip
right.set(xlabel="round", ylabel="seconds since the first round", ylim=(0, None))
right.set_title("Only the clock can tell")
right.margins(y=0.12)
figure.savefig(FIGURES / "flaky_network.png", dpi=130)
