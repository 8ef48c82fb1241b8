"""Session folders: one a session, made whole or not at all, removed as one.

They lie in named stores, the clusters: each a folder, perhaps on a disk of its own.
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
import unicodedata
import uuid
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from featrix_server.settings import Settings

DATA_FILE = "data.parquet"
"""The session's table in canonical form, written by `engine.table.read_table`."""

SCHEMA_FILE = "schema.json"
"""The detected schema (`engine.schema.Schema.to_dict`), written when the session is made."""

LABELS_FILE = "labels.parquet"
"""The table of labels in a predictor's folder, if it came with one."""

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,120}")
_MAX_SLUG = 60


def new_id(name: str | None) -> str:
    """Return a fresh id: a readable, path-safe form of `name`, then a random part."""
    return "-".join(part for part in (_slug(name or ""), str(uuid.uuid4())) if part)


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:_MAX_SLUG].strip("-")


def predictor_folder(session_folder: Path, predictor_id: str) -> Path:
    """Return the folder of a predictor.

    Raises
    ------
    ValueError
        If `predictor_id` is not of the form that `new_id` gives out.
    """
    if not _ID.fullmatch(predictor_id):
        raise ValueError(f"{predictor_id!r} is not a predictor id")
    return session_folder / "predictors" / predictor_id


class Draft:
    """A session's folder in the making, under a hidden name."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.folder = root / f".new-{secrets.token_hex(8)}"
        self.folder.mkdir()

    def link_space(self, session_folder: Path) -> None:
        """Give the session in the making the table and the trained space of another one.

        Their files are never changed once there, so both may share them (hard links, where the
        file system has them), and either session may be removed.
        """
        names = (path.name for path in session_folder.iterdir() if path.is_file())
        self.link(session_folder, (name for name in names if not name.startswith(".")))

    def link(self, session_folder: Path, names: Iterable[str]) -> None:
        """Share the named files of a session, which must never change (hard links, or copies)."""
        for name in names:
            _link(session_folder / name, self.folder / name)

    def link_tree(self, folder: Path, to: str) -> None:
        """Share a folder with all that is in it, under the name `to`."""
        shutil.copytree(
            folder,
            self.folder / to,
            copy_function=lambda source, target: _link(Path(source), Path(target)),
            ignore=shutil.ignore_patterns(".*"),  # what is being written at this moment
        )

    def publish(self, session_id: str) -> None:
        """Make the folder the session's, whole and at once."""
        self.folder.rename(self._root / _checked(session_id))


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # not every file system can, and none can across two
        shutil.copy2(source, target)


def _checked(session_id: str) -> str:
    if not _ID.fullmatch(session_id):
        raise ValueError(f"{session_id!r} is not a session id")
    return session_id


class Store:
    """The folders of all sessions, in the stores that the settings name.

    A session's folder is filled under a hidden name and then renamed, so a folder that can be
    seen is complete; leftovers of a killed process are swept away by `sweep`.

    Attributes
    ----------
    default : str
        Name of the store where sessions are made unless another one is asked for.
    roots : dict of str to Path
        The folder of each store.
    """

    def __init__(self, settings: Settings) -> None:
        self.default = settings.compute_cluster
        self.roots = {self.default: settings.sessions_dir}
        for name, folder in settings.clusters.items():
            self.roots.setdefault(name, folder / "sessions")
        for root in self.roots.values():
            root.mkdir(parents=True, exist_ok=True)

    def folder(self, session_id: str) -> Path:
        """Return the folder of a session, whichever store it is in.

        Raises
        ------
        ValueError
            If `session_id` is not of the form this store gives out, so that no text from
            outside can name a path elsewhere.
        """
        name = _checked(session_id)
        places = [root / name for root in self.roots.values()]
        return next((place for place in places[1:] if place.exists()), places[0])

    def where(self, session_id: str) -> str:
        """Return the name of the store a session is in; the default one if its folder is gone."""
        root = self.folder(session_id).parent
        return next(name for name, folder in self.roots.items() if folder == root)

    @contextmanager
    def draft(self, cluster: str | None = None) -> Iterator[Draft]:
        """Give an empty folder to fill and publish; it is removed unless that was done.

        Parameters
        ----------
        cluster
            Name of the store; None: the default one.
        """
        draft = Draft(self.roots[cluster or self.default])
        try:
            yield draft
        finally:
            shutil.rmtree(draft.folder, ignore_errors=True)

    def remove(self, session_id: str) -> None:
        """Remove a session's folder if it is there; it vanishes at once, then is emptied."""
        folder = self.folder(session_id)
        doomed = folder.with_name(f".old-{secrets.token_hex(8)}")
        try:
            folder.rename(doomed)
        except FileNotFoundError:
            return
        shutil.rmtree(doomed, ignore_errors=True)

    def sweep(self, known: Collection[str], older_than_s: float = 3600.0) -> None:
        """Remove what killed processes left: drafts, half-removed folders, folders no row names.

        Parameters
        ----------
        known
            Ids of all sessions in the database.
        older_than_s
            Folders touched later than this many seconds ago are left alone: a session that is
            being made at this moment has no row yet.
        """
        for root in self.roots.values():
            for folder in root.iterdir():
                if folder.name not in known:
                    self.remove_if_old(folder, older_than_s)

    @staticmethod
    def remove_if_old(folder: Path, older_than_s: float = 3600.0) -> None:
        """Remove a folder that nothing names, unless somebody may be filling it."""
        try:
            old = folder.stat().st_mtime < time.time() - older_than_s
        except FileNotFoundError:  # another collector was faster
            return
        if old:
            shutil.rmtree(folder, ignore_errors=True)
