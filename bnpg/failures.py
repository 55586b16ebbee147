"""How a command or a task of a sweep ends where an environment or a training fails in it."""

from bnpg_protocol.wire.exit_codes import ExitCode


def failure(error: Exception) -> tuple[ExitCode, str] | None:
    """Return how a command ends that plays or trains, and why, if that failed; else None."""
    # Whoever begins a command does not need them.
    from bnpg_coordinator.worlds.interface import WorldFailed

    from bnpg.api.training import RunFailed

    return (error.code, str(error)) if isinstance(error, WorldFailed | RunFailed) else None
