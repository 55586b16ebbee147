"""The entry point: `bnpg ...` or `python -m bnpg ...`.

It turns every way a command can end into an exit code, and every mistake of a user into one line on stderr.
"""

import os
import sys
import traceback
from collections.abc import Sequence

try:
    from bnpg_protocol.process.endings import follows_interruption, interruptible, put_back

    _before = interruptible()
    from bnpg_protocol.process.threads import use_one_thread

    use_one_thread()  # before anything imports numpy

    import click
    from bnpg_protocol.process.surroundings import leave_output, no_defect, settle
    from bnpg_protocol.process.the_end import end_soon, end_with
    from bnpg_protocol.wire.errors import InsecureSetup, StorageFailed
    from bnpg_protocol.wire.exit_codes import ExitCode

    from bnpg.cli.errors import in_a_line, tell_error
    from bnpg.cli.root import bnpg
    from bnpg.extras import lacks_extra
    from bnpg.failures import failure
    from bnpg.notices import printed_by
    from bnpg_files.names import check_sayable
    from bnpg_math.errors import InputError
except KeyboardInterrupt:
    # Loading takes most of a command's first half second, and `main` is not there yet to catch Ctrl-C.
    sys.stderr.write("bnpg: error: interrupted\n")
    sys.exit(130)
put_back(_before)  # `main` does what a process of its own needs; this may be a program of others


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows `bnpg`; the arguments of the process if left out.

    Returns
    -------
    int
        The exit code.
    """
    own = arguments is None
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        code = _run(given, debug, own)
        if (unwritten := leave_output()) and code == 0:
            code = _fail(unwritten, ExitCode.STORAGE, debug)
        if own:
            end_with(code, "bnpg")
    except KeyboardInterrupt:
        code = _fail("interrupted", ExitCode.INTERRUPTED, debug)
        if own:
            end_soon(code, "bnpg")
    return code


def _run(given: list[str], debug: bool, own: bool) -> int:
    try:
        if own:
            interruptible()
            settle()
        streams = sys.stdout, sys.stderr
        for word in given:
            check_sayable(word, "every word of a command line", InputError)
        with printed_by(_warn, others=debug or bool(sys.warnoptions)):
            result = bnpg.main(args=given, prog_name="bnpg", standalone_mode=False)
    except click.ClickException as error:
        return _fail(error.format_message(), ExitCode.USAGE, debug)
    except (InputError, InsecureSetup) as error:
        return _fail(str(error), ExitCode.USAGE, debug)
    except StorageFailed as error:
        return _fail(str(error), ExitCode.STORAGE, debug)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", ExitCode.INTERRUPTED, debug)
    except MemoryError:
        return _fail("this does not fit into memory", ExitCode.USAGE, debug)
    except SystemExit as ended:
        if "_BNPG_COMPLETE" in os.environ:  # a shell asked for what may stand there, and click has said it
            return ended.code if isinstance(ended.code, int) else int(ExitCode.DONE)
        if sys.stdout is streams[0]:
            return _defect(ended, debug)
        # This is how click ends when nobody reads standard output any more, whose place it has taken.
        sys.stdout, sys.stderr = streams
        return _fail("standard output cannot be written: nobody reads it any more", ExitCode.STORAGE, debug)
    except ModuleNotFoundError as error:
        lacking = lacks_extra(error)
        return _fail(lacking, ExitCode.USAGE, debug) if lacking else _defect(error, debug)
    except Exception as error:
        known = no_defect(error) or failure(error)
        if known is None and follows_interruption(error):
            return _fail("interrupted", ExitCode.INTERRUPTED, debug)
        if known is None:
            return _defect(error, debug)
        code, why = known
        return _fail(why, code, debug)
    return int(result) if isinstance(result, int) else int(ExitCode.DONE)


def _defect(error: BaseException, debug: bool) -> int:
    what = f"{type(error).__name__}: {error}"
    hint = "" if debug else " (add --debug for the traceback)"
    return _fail(f"a defect of bnpg, please report it: {what}{hint}", ExitCode.INTERNAL, debug)


def _warn(text: str) -> None:
    click.echo(f"bnpg: warning: {in_a_line(text)}", err=True)


def _fail(why: str, code: ExitCode, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    tell_error(why)
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
