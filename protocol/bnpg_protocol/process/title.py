"""The name of a process as `ps` shows it."""

from setproctitle import setproctitle


def set_title(title: str) -> None:
    """Give this process a title, visible in `ps` and in its command line."""
    setproctitle(title)
