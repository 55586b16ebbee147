"""`bnpg play`: look at episodes of a trained policy."""

from pathlib import Path

import click
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.cli.options import debug_option, integer, json_option


@click.command(short_help="Play episodes of a trained policy.")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--episodes", type=integer(1), default=1, show_default=True, metavar="N", help="How many.")
@click.option(
    "--steps", type=integer(1), default=100, show_default=True, metavar="T", help="An episode is cut after T."
)
@click.option(
    "--sampled", is_flag=True, help="Draw actions from the policy, instead of the most probable ones."
)
@click.option(
    "--video",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write an animated picture, .gif, .webp or .png: as the environment draws itself (render), or "
    "the team on its graph. An existing file is refused.",
)
@json_option
@debug_option
def play(folder: Path, episodes: int, steps: int, sampled: bool, video: Path | None, as_json: bool) -> int:
    """Play episodes with the policy of a run, and show what everybody saw and did.

    The episodes are drawn for this alone and are the same for every policy of an experiment's seed.

    \b
    Examples:
      bnpg play runs/mine
      bnpg play runs/mine --episodes 3 --video mine.gif
    """  # noqa: D301 (\b keeps click from wrapping)
    import json

    from bnpg.report.recorded_run import read_run
    from bnpg.showing.document import as_json as document_of
    from bnpg.showing.document import as_text
    from bnpg.showing.of_run import Showing

    camera = None
    if video is not None:
        from bnpg.showing.video import Camera  # heavy

        camera = Camera(video)
    stage = Showing(read_run(folder), drawn=camera is not None)
    played = []
    for episode in range(episodes):
        happened = []
        for turn in stage.play(episode, steps, sampled):
            happened.append(turn)
            if camera is not None:
                camera.take(stage, episode, turn)
        played.append(happened)
    if camera is not None:
        camera.write()
    click.echo(json.dumps(document_of(played)) if as_json else as_text(stage.name, played))
    if camera is not None:
        click.echo(f"{video}: {len(camera.pictures)} pictures", err=True)
    return int(ExitCode.DONE)
