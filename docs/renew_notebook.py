"""Run the notebook of the documents again and keep what its cells show: `make notebook`."""

import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

NOTEBOOK = Path(__file__).with_name("notebook.ipynb")
TIMEOUT = 60
"""Seconds that a cell may take."""


def run_again(folder: Path) -> NotebookNode:
    """Return the notebook with what its cells show now.

    Parameters
    ----------
    folder : Path
        An empty one, where the cells write.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell raises.
    """
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=TIMEOUT, resources=resources, record_timing=False).execute()
    notebook.metadata.language_info = {"name": "python"}  # not which version it was
    return notebook


def main() -> None:
    """Write it."""
    with tempfile.TemporaryDirectory(prefix="bnpg-notebook-") as folder:
        nbformat.write(run_again(Path(folder)), NOTEBOOK)
    print(NOTEBOOK)


if __name__ == "__main__":
    main()
