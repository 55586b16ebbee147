# %% [markdown]
# # A game of your own: a tank with two valves
#
# Agent 0 turns the tap of a tank, agent 1 the drain. The team earns one for every litre that leaves it, and
# pays for every litre the level is away from the middle. Any cooperative game with finitely many states and
# actions can be given like this: four arrays.

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
INK, LIGHT, FAINT = "#0b3c5d", "#7fb2d9", "#9a9a9a"

# %% [markdown]
# ## Four arrays
#
# Levels 0 to 6; each valve lets through 0, 1 or 2 litres. In one step of five the inflow brings a litre more
# than was asked for.

# %%
LEVELS, FLOWS, MIDDLE, EXTRA = 7, 3, 3, 0.2
transition = np.zeros((LEVELS, FLOWS, FLOWS, LEVELS))  # [level, tap, drain, next level]
reward = np.zeros((LEVELS, FLOWS, FLOWS))
for level, tap, drain in np.ndindex(LEVELS, FLOWS, FLOWS):
    leaving = min(drain, level)
    for more, chance in ((0, 1 - EXTRA), (1, EXTRA)):
        transition[level, tap, drain, min(level - leaving + tap + more, LEVELS - 1)] += chance
    reward[level, tap, drain] = leaving - abs(level - MIDDLE)
initial = np.full(LEVELS, 1 / LEVELS)
tank = bnpg.dense_game("tank", transition, reward, initial, gamma=0.9)
bnpg.save_game(tank, Path(scratch.name, "tank.npz"))  # for the command line: bnpg train tank.npz

# %% [markdown]
# A mistake in an array is named:

# %%
try:
    bnpg.dense_game("leaky", transition * 0.9, reward, initial, gamma=0.9)
except bnpg.InputError as error:
    print("refused:", error)

# %% [markdown]
# ## Learning from play
#
# Nobody knows the arrays now: the coordinator plays the game, and the agents learn from the signal it
# broadcasts. The drain sees what the tap does.

# %%
run = bnpg.train(
    Path(scratch.name, "tank.npz"), dag="0-1", rounds=80, lanes=512, horizon=60, learning_rate=2.0,
    evaluate_every=1, save_policy=True, fsync=False, out=Path(scratch.name, "run"),
)  # fmt: skip
measured = run.evaluate()
print(f"value {measured.value:.3f} of {measured.optimal_value:.3f}, Nash gap {measured.nash_gap:.3f}")

# %%
figure, (left, middle, right) = plt.subplots(
    1, 3, figsize=(14, 4.4), layout="constrained", width_ratios=[1.4, 0.8, 0.9]
)
columns = run.columns
played = np.isfinite(columns["return_mean"])
rounds, mean, error = (columns[name][played] for name in ("round", "return_mean", "return_stderr"))
left.fill_between(rounds, mean - 2 * error, mean + 2 * error, color=LIGHT, alpha=0.5, linewidth=0)
left.plot(
    rounds,
    mean,
    color=LIGHT,
    linewidth=1.2,
    label="return of the episodes \N{PLUS-MINUS SIGN} 2 standard errors",
)
exact = np.isfinite(columns["value"])
left.plot(columns["round"][exact], columns["value"][exact], color=INK, linewidth=2.2, label="exact value")
left.axhline(run.optimal_value, color=FAINT, linestyle=(0, (5, 3)), linewidth=1.2, label="best joint policy")
left.set(xlabel="round", ylabel="discounted return")
left.set_title("What the team earns")
left.legend(frameon=False, loc="lower right", fontsize=9)

litres = np.arange(FLOWS)
tap = run.policy.tables[0]  # [level, litres]
drain = run.policy.tables[1] @ litres  # [level, tap]: litres asked for on average
shown = middle.imshow(tap, cmap="Blues", vmin=0, vmax=1, aspect="auto", origin="lower")
middle.set(xlabel="litres in", ylabel="level", xticks=litres, yticks=range(LEVELS))
middle.set_title("The tap: how often")
figure.colorbar(shown, ax=middle, shrink=0.85, label="probability")
shown = right.imshow(drain, cmap="Blues", vmin=0, vmax=2, aspect="auto", origin="lower")
for level, inflow in np.ndindex(drain.shape):
    colour = "white" if drain[level, inflow] > 1.1 else "#333333"
    right.text(
        inflow, level, f"{drain[level, inflow]:.1f}", ha="center", va="center", color=colour, fontsize=9
    )
right.set(xlabel="litres in, as the drain sees", ylabel="level", xticks=litres, yticks=range(LEVELS))
right.set_title("The drain: litres out")
figure.colorbar(shown, ax=right, shrink=0.85, label="litres on average")
for axis in (middle, right):
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
figure.savefig(FIGURES / "a_game_of_your_own.png", dpi=130)

# %% [markdown]
# The tap opens when the level is low and closes when it is high; the drain lets out what comes in, and more
# when there is too much. Cells that the tap makes rare are learnt late: nobody has seen what happens there.
