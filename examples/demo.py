"""Run the quickstart as a reader would, and keep what it shows.

    python examples/demo.py build

executes ``01_quickstart.ipynb`` in a fresh kernel and writes ``quickstart.html``, one page that
needs neither a network nor a kernel, and every picture in it as ``quickstart-NN.png``. The
embedded server keeps its files in the same folder, so the demo leaves no model among your own.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat import NotebookNode

EXAMPLES = Path(__file__).resolve().parent
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL | re.IGNORECASE)


@contextmanager
def own_server(home: Path) -> Iterator[None]:
    """Let the notebook start a server of its own in `home`, and stop it in the end."""
    os.environ["FEATRIX_HOME"] = str(home)
    try:
        yield
    finally:
        subprocess.run([sys.executable, "-m", "featrix_server", "stop"], check=False)


def execute(path: Path) -> NotebookNode:
    """The notebook with the outputs of a fresh run."""
    notebook = nbformat.read(path, as_version=4)
    context = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=context).execute()
    return notebook


def without_views(notebook: NotebookNode) -> NotebookNode:
    """Take out the live views, which need a kernel: each widget's stored picture remains.

    A view without a picture is a progress bar; what it leaves behind is its first state, which is
    no longer true, so it goes altogether.
    """
    for cell in notebook.cells:
        for output in list(cell.get("outputs", [])):
            data = output.get("data", {})
            if data.pop(WIDGET_VIEW, None) and "image/png" not in data:
                cell.outputs.remove(output)
    return notebook


def write_page(notebook: NotebookNode, path: Path) -> None:
    """One HTML file; its scripts would only fetch helpers a still page has no use for."""
    page, _ = HTMLExporter(template_name="lab").from_notebook_node(notebook)
    path.write_text(SCRIPT.sub("", page), encoding="utf-8")


def write_pictures(notebook: NotebookNode, folder: Path) -> int:
    """Every PNG among the outputs, numbered in order; returns how many there are."""
    for old in folder.glob("quickstart-*.png"):
        old.unlink()
    count = 0
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if png := output.get("data", {}).get("image/png"):
                count += 1
                picture = folder / f"quickstart-{count:02d}.png"
                picture.write_bytes(base64.b64decode(png))
    return count


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with own_server(folder / "featrix"):
        notebook = without_views(execute(EXAMPLES / "01_quickstart.ipynb"))
    write_page(notebook, folder / "quickstart.html")
    count = write_pictures(notebook, folder)
    print(f"{folder / 'quickstart.html'} and {count} pictures in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/demo.py FOLDER")
    main(Path(sys.argv[1]).resolve())
