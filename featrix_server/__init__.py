"""The embedded server: the REST protocol over a store, a job queue and the engine."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("featrix-notebook")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+source"
