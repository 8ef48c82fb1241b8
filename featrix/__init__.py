"""Featrix Notebook: what ``%load_ext featrix`` loads.

Loading the extension gives the notebook

* the line magic ``%featrix`` (``%featrix help`` lists its commands),
* readable displays of models and clients,
* the name ``FeatrixSphere``, the door to everything else, unless the notebook already uses that
  name for something of its own. Nothing else enters the namespace unasked: widgets are imported
  (``from featrix_notebook import SphereExplorer``) or come from the magic.

``%unload_ext featrix`` takes all of it away again and puts back what was there before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load_ipython_extension", "unload_ipython_extension"]


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Called by ``%load_ext featrix``."""
    from featrix_notebook.magics import load

    load(ipython)


def unload_ipython_extension(ipython: InteractiveShell) -> None:
    """Called by ``%unload_ext featrix``."""
    from featrix_notebook.magics import unload

    unload(ipython)
