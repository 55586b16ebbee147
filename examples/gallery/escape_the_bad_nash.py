# %% [markdown]
# # Escaping the bad Nash of the climbing game
#
# Two agents pick one of three actions each; both earn the same. The best cell pays 11, but whoever goes there
# alone costs the team 30. Cell (1, 1) pays 7 and is a Nash equilibrium too: nobody can leave it alone.
# Independent learners are drawn to it, since around it there is no abyss.
#
# An edge 0 -> 1 lets agent 1 see what agent 0 does. Then agent 0 no longer risks anything by going for 11.

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
ALONE, SEEING, FAINT = "#d1495b", "#0b3c5d", "#9a9a9a"

# %% [markdown]
# ## From a team that plays every action alike
#
# Exact updates, with a log barrier of weight 0.1 that keeps policies away from certainty. The two runs differ
# in one edge and in nothing else.

# %%
options = {"mode": "exact", "learning_rate": 1.0, "regularization": 0.1, "evaluate_every": 20, "fsync": False}
runs = {
    dag: bnpg.train("climbing", dag=dag, rounds=300, out=Path(scratch.name, dag), **options)
    for dag in ("empty", "0-1")
}
for dag, run in runs.items():
    print(f"DAG {dag:<6} value {run.summary['value']:6.2f}   Nash gap {run.summary['nash_gap']:.3f}")

# %% [markdown]
# Both end at a Nash equilibrium, up to what the barrier costs; the first at the bad one.
#
# ## From random starts
#
# Is that the fault of the start? Ten teams begin at logits drawn from N(0, 1).

# %%
seeds = range(10)
ends = {
    dag: [
        bnpg.train(
            "climbing", dag=dag, rounds=250, initial="normal", seed=seed,
            out=Path(scratch.name, f"{dag}-{seed}"), **(options | {"evaluate_every": 0}),
        ).evaluate().value
        for seed in seeds
    ]
    for dag in runs
}  # fmt: skip
for dag, values in ends.items():
    print(f"DAG {dag:<6} {sum(value > 10 for value in values)} of {len(seeds)} teams get past 10")

# %%
figure, axes = plt.subplot_mosaic(
    [["curves", "empty", "0-1", "seeds"]],
    figsize=(15, 4.3),
    width_ratios=[1.5, 1, 1, 1.05],
    layout="constrained",
)
names = {"empty": "no edge", "0-1": "edge 0 \N{RIGHTWARDS ARROW} 1"}
colours = {"empty": ALONE, "0-1": SEEING}

curves = axes["curves"]
for level, words in ((11.0, "the best cell, 11"), (7.0, "the bad Nash, 7")):
    curves.axhline(level, color=FAINT, linestyle=(0, (5, 3)), linewidth=1)
    curves.text(300, level + 0.25, words, ha="right", color="#666666", fontsize=9)
for dag, run in runs.items():
    rounds, value = run.columns["round"] + 1, run.columns["value"]
    curves.plot(rounds, value, color=colours[dag], linewidth=2.2)
    where = 4 if dag == "0-1" else 5
    curves.annotate(
        names[dag], (rounds[where], value[where]), textcoords="offset points",
        xytext=(-8, 6) if dag == "0-1" else (8, -14), ha="right" if dag == "0-1" else "left",
        color=colours[dag], fontweight="bold",
    )  # fmt: skip
curves.set(
    xscale="log", xlabel="round + 1", ylabel="expected return", title="What the team earns", ylim=(-4.5, 12.5)
)

payoff = runs["empty"].game.reward[0]
for dag, run in runs.items():
    panel, tables = axes[dag], run.policy.tables
    first, second = tables[0][0], tables[1][0]
    joint = first[:, None] * (second if dag == "0-1" else second[None, :])
    panel.imshow(joint, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(3, 3):
        dark = joint[row, column] > 0.5
        panel.text(
            column, row, f"{payoff[row, column]:g}", ha="center", va="center", fontsize=13,
            color="white" if dark else "#333333", fontweight="bold" if dark else "normal",
        )  # fmt: skip
    panel.set(xticks=range(3), yticks=range(3), xlabel="agent 1 plays", ylabel="agent 0 plays")
    panel.set_title(f"{names[dag]}: where it plays", fontsize=11)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)

dots = axes["seeds"]
for place, (dag, values) in enumerate(ends.items()):
    spread = (np.argsort(np.argsort(values, kind="stable")) / (len(values) - 1) - 0.5) * 0.5
    dots.scatter(
        place + spread, values, color=colours[dag], s=42, alpha=0.85, edgecolor="white", linewidth=0.6
    )
dots.set(xticks=(0, 1), xticklabels=list(names.values()), xlim=(-0.6, 1.6), ylim=(5.5, 11.5))
dots.set(title=f"{len(seeds)} random starts", ylabel="expected return at the end")
dots.grid(axis="y", color="#e6e6e6")
dots.set_axisbelow(True)
figure.savefig(FIGURES / "escape_the_bad_nash.png", dpi=130)

# %% [markdown]
# Colour is how often the team plays a cell; the number is what the cell pays. Blind to each other, most teams
# stay at 7, whatever they begin with. With one edge they all get to 11.
