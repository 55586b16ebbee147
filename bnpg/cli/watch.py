"""`bnpg watch`: a run, or many, in the browser, while they go on."""

import json
from pathlib import Path

import click
from bnpg_protocol.wire.exit_codes import ExitCode

from bnpg.cli.options import debug_option, json_option

DEFAULT = "127.0.0.1:8765"


@click.command(short_help="Show a run, or a folder of many, live in the browser.")
@click.argument("where", metavar="DIR|ADDRESS")
@click.option(
    "--listen", metavar="HOST:PORT", help=f"Where to serve the page; port 0 picks one.  [{DEFAULT}]"
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Holds the token to ask for.  [beyond loopback a new one, printed once]",
)
@json_option
@debug_option
def watch(where: str, listen: str | None, token_file: Path | None, as_json: bool) -> int:
    """Show a run live in the browser: its folder, or the coordinator's --metrics-listen address.

    Of a folder with many runs in it, such as runs or that of a sweep, it is a table that follows them all:
    filter, sort, group, select, curves over one another, and the settings that differ.

    The page only looks. It is served on loopback unless told otherwise, and beyond that only to who knows the
    token. It survives restarts of the coordinator; Ctrl-C ends it and touches nothing.

    \b
    Examples:
      bnpg watch runs/mine
      bnpg watch runs
      bnpg watch 10.0.0.7:9000
      bnpg watch runs/mine --listen 0.0.0.0:8765 --token-file token
    """  # noqa: D301 (\b keeps click from wrapping)
    from bnpg.watch.admission import TokenAdmission, bind, is_loopback, new_token, parse_listen, read_token
    from bnpg.watch.many import ManyRuns, is_many
    from bnpg.watch.server import serve
    from bnpg.watch.source import AddressSource, FolderSource, Source
    from bnpg_math.errors import InputError

    host, port = parse_listen(listen or DEFAULT)
    token = None if token_file is None else read_token(token_file)
    if token is None and not is_loopback(host):
        token = new_token()
    source: Source
    if is_many(Path(where)):
        source = ManyRuns(Path(where))
    elif Path(where).exists():
        source = FolderSource(Path(where))
    elif ":" in where.removeprefix("http://"):
        source = AddressSource(where)
    else:
        raise InputError(
            f"{where}: expected a run folder, a folder of many runs, or HOST:PORT given to --metrics-listen"
        )
    try:
        listening = bind(host, port)
    except InputError:
        if listen is not None:
            raise
        listening = bind(host, 0)
    with listening:
        at = listening.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        # A token of the person's own stays in its file: terminals and logs are read by others.
        secret = f"?token={token}" if token is not None and token_file is None else ""
        url = f"http://{shown}:{at}/{secret}"
        click.echo(json.dumps({"url": url, "token": token is not None}) if as_json else url)
        click.echo("bnpg: Ctrl-C ends the watching, not the run", err=True)
        serve(source, TokenAdmission(token), listening)
    return int(ExitCode.DONE)
