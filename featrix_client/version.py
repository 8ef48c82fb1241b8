"""The version of the installed distribution, read from its metadata and nowhere else."""

from __future__ import annotations

from functools import cache


@cache
def version() -> str:
    """Return the version, or ``"0+source"`` when the package runs from an uninstalled tree."""
    from importlib.metadata import PackageNotFoundError, version  # slow to import, rarely needed

    try:
        return version("featrix-notebook")
    except PackageNotFoundError:
        return "0+source"
