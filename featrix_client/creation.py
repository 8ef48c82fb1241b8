"""Sending a table to the server to be learned: checks, the upload, and the URL variant."""

from __future__ import annotations

import difflib
import json
import operator
import os
import tempfile
import uuid
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featrix_client.errors import FeatrixInputError, FeatrixWarning
from featrix_client.frames import write_frame
from featrix_client.multipart import MultipartForm
from featrix_client.progress import told_when_interrupted, upload_bar
from featrix_client.records import clean
from featrix_client.transport import UPLOAD_TIMEOUT_S, Transport
from featrix_client.webhooks import check_webhooks

if TYPE_CHECKING:
    import pandas as pd

MAX_METADATA_BYTES = 32 * 1024
_URL_SCHEMES = ("http://", "https://", "s3://")
_UPLOAD = "/compute/upload_with_new_session/"
_FILES = {  # argument: what it may be, and where a DataFrame goes
    "data_file": ("a path or a URL", "df=..."),
    "labels_file": ("a path", "labels_df=..."),
    "file_path": ("a path", "batch_predict()"),
}
_IDEMPOTENCY = "X-Featrix-Idempotency-Key"


def create_session(
    transport: Transport,
    *,
    data_file: str | os.PathLike[str] | None,
    df: pd.DataFrame | None,
    options: dict[str, Any],
) -> str:
    """Send a table and what to do with it; return the id of the new session.

    Parameters
    ----------
    data_file, df
        The table: exactly one of them.
    options : dict
        Checked options, as `check_options` returns them.
    """
    if (data_file is None) == (df is None):
        given = "both" if df is not None else "neither"
        raise FeatrixInputError(
            f"Give exactly one of data_file and df; {given} was given.", field="data_file"
        )
    if df is not None:
        with tempfile.TemporaryDirectory(prefix="featrix-") as folder:
            path = write_frame(df, Path(folder))
            size = {"n_rows": len(df), "n_cols": len(df.columns)}
            answer = upload_file(transport, _UPLOAD, path, options | size)
    elif str(data_file).lower().startswith(_URL_SCHEMES):
        answer = _from_url(transport, str(data_file), options)
    else:
        assert data_file is not None
        answer = upload_file(transport, _UPLOAD, existing_file(data_file), options)
    for text in answer.get("warnings") or ():
        warnings.warn(str(text), FeatrixWarning, stacklevel=3)  # the user's line
    return str(answer["session_id"])


def check_options(
    *,
    name: str | None,
    ignore_columns: Iterable[str] | None,
    epochs: int | None,
    webhooks: Mapping[str, str] | None,
    user_metadata: Mapping[str, Any] | None,
    foundation_mode: bool,
    column_overrides: Mapping[str, str] | None,
) -> dict[str, Any]:
    """Check the options of a new model and return those that were given.

    Raises
    ------
    FeatrixInputError
        If one is wrong; ``field`` names it.
    """
    options: dict[str, Any] = {}
    if name is not None:
        if not isinstance(name, str) or not name.strip():
            raise FeatrixInputError(f"name must be a text, not {name!r}.", field="name")
        options["name"] = options["session_name_prefix"] = name
    if ignore_columns is not None:
        if isinstance(ignore_columns, str) or not isinstance(ignore_columns, Iterable):
            raise FeatrixInputError(
                f"ignore_columns must be a list of column names, not {ignore_columns!r}.",
                hint=f"Write ignore_columns=[{ignore_columns!r}].",
                field="ignore_columns",
            )
        options["ignore_columns"] = [str(column) for column in ignore_columns]
    if column_overrides is not None:
        if not isinstance(column_overrides, Mapping):
            raise FeatrixInputError(
                f"column_overrides must be a dict of columns and types, not {column_overrides!r}.",
                hint="For instance column_overrides={'zip': 'set'}.",
                field="column_overrides",
            )
        options["column_overrides"] = {str(key): kind for key, kind in column_overrides.items()}
    if epochs is not None:
        options["epochs"] = _whole_number(epochs, "epochs")
    if webhooks is not None:
        options["webhooks"] = check_webhooks(webhooks)
    if user_metadata is not None:
        options["user_metadata"] = _metadata(user_metadata)
    if foundation_mode:  # left out otherwise: the server turns it on by itself for large tables
        options["foundation_mode"] = True
    return options


def _whole_number(value: Any, field: str) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if isinstance(value, bool) or number < 1:
        raise FeatrixInputError(
            f"{field} must be a whole number of at least 1, not {value!r}.",
            hint=f"Leave {field} out to let the server decide.",
            field=field,
        )
    return number


def _metadata(value: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise FeatrixInputError(
            f"user_metadata must be a dict, not a {type(value).__name__}.", field="user_metadata"
        )
    plain: dict[str, Any] = clean(value)
    size = len(json.dumps(plain, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if size > MAX_METADATA_BYTES:
        raise FeatrixInputError(
            f"user_metadata is {size:,} bytes as JSON; at most {MAX_METADATA_BYTES:,} are kept.",
            hint="Keep large things in a file of your own and put its name here.",
            field="user_metadata",
        )
    return plain


def existing_file(data_file: str | os.PathLike[str], field: str = "data_file") -> Path:
    """Return the path of a local data file after checking that there is something to read.

    Parameters
    ----------
    data_file : path
        What was given.
    field : str
        The argument it was given as.

    Raises
    ------
    FeatrixInputError
        If there is no such file, or it is a folder, empty or unreadable.
    """
    what, elsewhere = _FILES[field]
    if not isinstance(data_file, str | os.PathLike):
        raise FeatrixInputError(
            f"{field} must be {what}, not a {type(data_file).__name__}.",
            hint=f"A DataFrame goes into {elsewhere}." if hasattr(data_file, "columns") else None,
            field=field,
        )
    path = Path(os.fspath(data_file)).expanduser().absolute()
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "a device"
        raise FeatrixInputError(f"{path} is {what}, not a data file.", field=field)
    if not path.exists():
        raise FeatrixInputError(f"There is no file {path}.", hint=_near_names(path), field=field)
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise FeatrixInputError(f"{path} is empty.", field=field)
    except OSError as error:
        raise FeatrixInputError(f"{path} cannot be read: {error.strerror}.", field=field) from error
    return path


def _near_names(path: Path) -> str:
    if not path.parent.is_dir():
        return f"Not even its folder exists. Relative paths start at {Path.cwd()}."
    names = [entry.name for entry in path.parent.iterdir()]
    near = difflib.get_close_matches(path.name, names, 3)
    if near:
        return f"Is one of these meant? {', '.join(near)}"
    return f"Relative paths start at {Path.cwd()}."


def upload_file(
    transport: Transport, address: str, path: Path, options: dict[str, Any]
) -> dict[str, Any]:
    """Send a file with options as a form, and return the answer.

    Raises
    ------
    KeyboardInterrupt
        If it is interrupted; the message says what became of it. A server keeps nothing of a
        file that did not arrive whole.
    """
    fields = {name: _as_text(value) for name, value in options.items()}
    size, arrived = path.stat().st_size, 0

    def count(sent: int) -> None:
        nonlocal arrived
        arrived = sent
        on_progress(sent)

    def words() -> str:
        if arrived < size:
            return f"The upload of {path.name} was broken off; the server keeps nothing of it."
        return (
            f"{path.name} had been sent, but not answered: the server may have begun. "
            "list_sessions(), or list_predictors() for labels, tells."
        )

    with (
        told_when_interrupted(words),
        upload_bar(path.name, size) as on_progress,
        MultipartForm(fields, path, path.name, count) as form,
    ):
        answer: dict[str, Any] = transport.json(
            "POST",
            address,
            upload=form,
            headers={_IDEMPOTENCY: str(uuid.uuid4())},
            repeatable=True,
            timeout=UPLOAD_TIMEOUT_S,
        )
    return answer


def _from_url(transport: Transport, url: str, options: dict[str, Any]) -> dict[str, Any]:
    body = {"s3_file_data_set_training": url, **options}
    if "user_metadata" in body:  # the protocol wants text here, and only here
        body["user_metadata"] = json.dumps(body["user_metadata"])
    answer: dict[str, Any] = transport.json(
        "POST",
        "/compute/create-embedding-space",
        json=body,
        headers={_IDEMPOTENCY: str(uuid.uuid4())},
        repeatable=True,
        timeout=UPLOAD_TIMEOUT_S,  # the server fetches the table before it answers
    )
    return answer


def _as_text(value: Any) -> str:
    """Write a form field the way the protocol does."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)  # true, 5, ["a"], {"b": 1}
