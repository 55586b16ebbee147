"""Episodes as a moving picture: as the environment draws itself, or the team on its graph."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from bnpg_coordinator.environments.foreign import OURS, described
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from bnpg.named_place import check_place, write_named
from bnpg.report.dag_drawing import draw_dag
from bnpg.showing.episode import ShownTurn
from bnpg.showing.of_run import Showing
from bnpg_math.dag import Dag
from bnpg_math.errors import InputError

Picture = NDArray[np.uint8]
"""(height, width, 3)."""
FORMATS = (".gif", ".webp", ".png")
MILLISECONDS = 400
"""That a picture stays."""
MOST_AGENTS = 40
"""That a drawn team may have."""


class Camera:
    """Takes pictures of episodes, and makes a file of them.

    Parameters
    ----------
    path : Path
        Where to; what it is called says which format.

    Raises
    ------
    InputError
        If no such file can be made, before anything is played.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix.lower() not in FORMATS:
            raise InputError(
                f"--video {path}: expected a file {', '.join(FORMATS)}, an animated picture; ffmpeg makes "
                "others of it"
            )
        if path.exists():
            raise InputError(f"--video {path} exists already and is never overwritten")
        check_place(path, "--video")
        self.path = path
        self.pictures: list[Picture] = []

    def take(self, stage: Showing, episode: int, turn: ShownTurn) -> None:
        """Take one picture, after a turn.

        Raises
        ------
        InputError
            If there is nothing to be seen.
        """
        if stage.environment is not None:
            self.pictures.append(rendered(stage.environment, stage.name))
            return
        if turn.time == 0:
            self._team = TeamPictures(stage.dag, stage.name)
        self.pictures.append(self._team.draw(episode, turn))

    def write(self) -> None:
        """Write the file, whole or not at all.

        Raises
        ------
        InputError
            If there can be no file of that name, or none of this user.
        StorageFailed
            If the machine is short of something, such as room.
        """
        first, *others = [Image.fromarray(picture) for picture in self.pictures]
        buffer = io.BytesIO()
        kind = self.path.suffix.lower()[1:]
        first.save(buffer, kind, save_all=True, append_images=others, duration=MILLISECONDS, loop=0)
        write_named(self.path, buffer.getvalue(), "--video")


@dataclass
class TeamPictures:
    """Draws the team on its graph: who did what, and what was paid.

    Parameters
    ----------
    dag : Dag
    title : str
    """

    dag: Dag
    title: str
    _paid: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        if self.dag.agents > MOST_AGENTS:
            raise InputError(
                f"a team of {self.dag.agents} is not drawn: expected at most {MOST_AGENTS} agents"
            )

    def draw(self, episode: int, turn: ShownTurn) -> Picture:
        """Return the picture of a turn."""
        self._paid = turn.reward if turn.time == 0 else self._paid + turn.reward
        drawing = draw_dag(self.dag)
        figure = Figure(figsize=(6.4, 4.2), dpi=100, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set_aspect("equal")
        axes.set_xlim(-20, drawing.width + 20)
        axes.set_ylim(drawing.height + 30, -30)
        places = {node.agent: (node.x, node.y) for node in drawing.nodes}
        for parent, child in self.dag.edges:
            axes.annotate(
                "", places[child], places[parent],
                arrowprops={"arrowstyle": "-|>", "color": "#888888", "shrinkA": 17, "shrinkB": 17,
                            "connectionstyle": "arc3,rad=-0.15"},
            )  # fmt: skip
        colours = colormaps["tab10"]
        for agent, (x, y) in places.items():
            action = turn.actions[agent]
            axes.scatter([x], [y], s=900, color=colours(action % 10), edgecolors="#333333", zorder=3)
            axes.text(x, y, str(action), ha="center", va="center", color="white", fontsize=13, zorder=4)
            axes.text(x, y + 28, sight(agent, turn.seen[agent]), ha="center", va="top", fontsize=8)
        axes.set_title(
            f"{self.title}   episode {episode}, step {turn.time}\n"
            f"reward {turn.reward:.4g}, so far {self._paid:.4g}",
            fontsize=10, loc="left",
        )  # fmt: skip
        canvas.draw()  # type: ignore[no-untyped-call]
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]


def sight(agent: int, seen: Sequence[float]) -> str:
    """Say what an agent sees: the first of many numbers, in lines so short that they meet nobody else's.

    Examples
    --------
    >>> print(sight(0, [3.0]))
    0 sees 3
    >>> print(sight(1, [-0.425127, 1.52539, 0.0, 10.25, 7.0]))
    1 sees
    -0.43 1.5
    0 10 ..
    """
    if len(seen) == 1:
        return f"{agent} sees {seen[0]:g}"
    shown = [f"{number:.2g}" for number in seen[:4]]
    lines = [" ".join(shown[start : start + 2]) for start in range(0, len(shown), 2)]
    return "\n".join([f"{agent} sees", *lines]) + (" .." if len(seen) > 4 else "")


def rendered(environment: Any, what: str) -> Picture:
    """Return how an environment draws itself at the moment.

    Raises
    ------
    InputError
        If it gives no picture.
    """
    try:
        drawn = environment.render()
    except OURS:
        raise
    except BaseException as error:
        raise InputError(f"{what} cannot be drawn: render raised {described(error)}") from error
    picture = np.asarray(drawn)
    if picture.ndim != 3 or picture.shape[-1] not in (3, 4) or picture.dtype.kind not in "ui":
        got = "nothing" if drawn is None else f"{type(drawn).__name__} of shape {picture.shape}"
        raise InputError(
            f"{what} cannot be drawn: expected render to give an array (height, width, 3), got {got}"
        )
    return picture[..., :3].astype(np.uint8)
