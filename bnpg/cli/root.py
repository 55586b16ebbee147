"""`bnpg` itself: the list of commands and of exit codes."""

import click
from bnpg_protocol import core
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg import __version__
from bnpg.cli.agent import agent
from bnpg.cli.bench import bench
from bnpg.cli.best_response import best_response
from bnpg.cli.certificate import certificate
from bnpg.cli.convert import convert
from bnpg.cli.coordinator import coordinator
from bnpg.cli.dag import dag
from bnpg.cli.edges import edges
from bnpg.cli.env import env
from bnpg.cli.evaluate import evaluate
from bnpg.cli.examples import examples
from bnpg.cli.export import export
from bnpg.cli.games import games
from bnpg.cli.keys import keys
from bnpg.cli.options import debug_option
from bnpg.cli.play import play
from bnpg.cli.report import report
from bnpg.cli.resume import resume
from bnpg.cli.runs import runs
from bnpg.cli.slurm_script import slurm_script
from bnpg.cli.soak import soak
from bnpg.cli.status import status
from bnpg.cli.suggestions import SuggestingGroup
from bnpg.cli.sweep import sweep
from bnpg.cli.trace import trace
from bnpg.cli.train import train
from bnpg.cli.verify import verify
from bnpg.cli.watch import watch

_MEANINGS = {
    ExitCode.DONE: "done",
    ExitCode.INTERNAL: "a defect of bnpg itself; please report it",
    ExitCode.USAGE: "wrong usage or a bad input file",
    ExitCode.PEER_FAILED: "a peer or process failed and the policy was to fail",
    ExitCode.DEADLINE: "a deadline passed",
    ExitCode.VIOLATION: "a check found a violation",
    ExitCode.PROTOCOL: "a peer broke the protocol beyond repair",
    ExitCode.STORAGE: "a file could not be written, for example because the disk is full",
    ExitCode.REJECTED: "the coordinator rejected an agent",
    ExitCode.WORLD: "the environment raised, or gave what cannot be used",
    ExitCode.INTERRUPTED: "interrupted; the run can be resumed",
}

_EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:>3}  {_MEANINGS[code]}" for code in ExitCode)


@click.group(
    cls=SuggestingGroup,
    invoke_without_command=True,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="bnpg", message=f"%(prog)s %(version)s (core: {core.name()})")
@debug_option
@click.pass_context
def bnpg(context: click.Context) -> None:
    """Train a team of agents whose joint policy is a Bayesian network.

    Every agent is a process of its own; a coordinator plays the environment and broadcasts one shared signal.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


_COMMANDS = (
    train,
    resume,
    sweep,
    runs,
    report,
    watch,
    trace,
    evaluate,
    best_response,
    certificate,
    verify,
    games,
    examples,
    convert,
    env,
    dag,
    edges,
    play,
    export,
    soak,
    bench,
    coordinator,
    agent,
    keys,
    slurm_script,
    status,
)
for _command in _COMMANDS:
    bnpg.add_command(_command)
