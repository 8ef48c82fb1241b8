"""The line magic ``%featrix``, and what loading the extension puts into a notebook.

The magic is a short way to write what the client does: every command returns the Python object
it made, so the next cell goes on from there. `load` and `unload` are a pair: what the first puts
into the shell, the second takes out, and whatever had been in its place comes back.
"""

from __future__ import annotations

import argparse
import difflib
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakKeyDictionary

from IPython.core.error import UsageError

from featrix_client.errors import FeatrixError, FeatrixHTTPError

from . import display

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

MAGIC = "featrix"
NAMES = ("FeatrixSphere",)
_ABSENT = object()
_COMPLETER_KEY = f"%{MAGIC}"


class _HelpShown(Exception):
    """Ends parsing after ``--help`` printed its text."""


class _Parser(argparse.ArgumentParser):
    """An argument parser that tells the user instead of ending the kernel."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\n{self.format_usage().strip()}")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise _HelpShown


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return int(text)


def _variable(text: str) -> str:
    if not text.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} cannot be the name of a Python variable")
    return text


def _build_parsers() -> tuple[_Parser, dict[str, _Parser]]:
    main = _Parser(prog=_COMPLETER_KEY, add_help=False, allow_abbrev=False)
    main.description = "Train, watch and explore tabular embedding models."
    commands = main.add_subparsers(dest="command", metavar="command", parser_class=_Parser)
    made: dict[str, _Parser] = {}

    def command(name: str, text: str) -> _Parser:
        made[name] = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        return made[name]

    command("status", "Say which server is in use and how it is.")

    connect = command("connect", "Connect to a server; returns a FeatrixSphere.")
    connect.add_argument("url", nargs="?", help="'local' or an address; left out: found by itself")
    connect.add_argument(
        "--as", dest="into", type=_variable, metavar="var", help="default: featrix"
    )

    models = command("models", "List model ids, newest first.")
    models.add_argument("prefix", nargs="?", default="", help="only ids that start like this")

    train = command("train", "Start training; returns the FoundationalModel at once.")
    train.add_argument("data", help="a DataFrame variable, or the path or s3:// URL of a file")
    train.add_argument("--name", help="a name for the model")
    train.add_argument("--epochs", type=_positive, metavar="N", help="left out: chosen by itself")
    train.add_argument("--ignore", nargs="+", metavar="column", help="columns to leave out")
    train.add_argument("--as", dest="into", type=_variable, metavar="var", help="default: fm")

    watch = command("watch", "Show a model's training live; returns a TrainingDashboard.")
    sphere = command("sphere", "Show a model's rows on the sphere; returns a SphereExplorer.")
    movie = command("movie", "Play a model's training on the sphere; returns a TrainingMovie.")
    for parser in (watch, sphere, movie):
        parser.add_argument("model", nargs="?", help="a variable or a model id; default: the last")
    for parser in (sphere, movie):
        parser.add_argument("--color-by", metavar="column", help="colour the points by this column")

    helper = command("help", "Show this list, or how to use one command.")
    helper.add_argument("topic", nargs="?", choices=list(made), metavar="command")
    return main, made


def _split(line: str) -> list[str]:
    """The words of the line; quotes group, and backslashes stay (Windows paths have them)."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split, lexer.escape, lexer.commenters = True, "", ""
    try:
        return list(lexer)
    except ValueError as error:
        raise UsageError(f"A quote is not closed in: {line}") from error


def _closest(word: str, among: Iterable[str]) -> str:
    found = difflib.get_close_matches(word, list(among), n=1)
    return f" Did you mean {found[0]!r}?" if found else ""


def _is_model(value: object) -> bool:
    """Ours, or another client's model object with the same methods."""
    return not isinstance(value, type) and hasattr(value, "get_projections")


class FeatrixMagic:
    """What ``%featrix`` does in one shell.

    Parameters
    ----------
    shell
        The shell whose namespace the commands read from and assign to.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._client: Any = None
        self._model: Any = None
        self._main, self._parsers = _build_parsers()

    def run(self, line: str) -> Any:
        """Train, watch and explore tabular embedding models.

        ``%featrix help`` lists the commands; ``%featrix help train`` explains one of them.
        """
        words = _split(line.strip().removesuffix(";")) or ["help"]
        if not words[0].startswith("-") and words[0] not in self._parsers:
            known = ", ".join(self._parsers)
            hint = _closest(words[0], self._parsers) or f" The commands are: {known}."
            raise UsageError(f"%featrix has no command {words[0]!r}.{hint}")
        try:
            asked = self._main.parse_args(words)
            return getattr(self, f"_{asked.command}")(asked)
        except _HelpShown:
            return None
        except FeatrixError as error:
            # Its message says what to do; a traceback through the client would only hide it.
            raise UsageError(str(error)) from error

    # One method a command.

    def _help(self, asked: argparse.Namespace) -> None:
        (self._parsers[asked.topic] if asked.topic else self._main).print_help()

    def _status(self, asked: argparse.Namespace) -> dict[str, Any]:
        client = self._known_client()
        if client is None:
            # Asking for the status must not start a server.
            return {"status": "not connected", "hint": "%featrix connect"}
        if not display.answers(client):
            return {"server": client.url, "status": "not running", "hint": "%featrix connect"}
        return {"server": client.url, **client.health_check()}

    def _connect(self, asked: argparse.Namespace) -> Any:
        from featrix_client import FeatrixSphere

        self._check_free(asked.into, "featrix", FeatrixSphere)
        self._client = FeatrixSphere(asked.url) if asked.url else FeatrixSphere()
        return self._assign(asked.into or "featrix", self._client)

    def _models(self, asked: argparse.Namespace) -> list[str]:
        return list(self._connected().list_sessions(asked.prefix))

    def _train(self, asked: argparse.Namespace) -> Any:
        from featrix_client import FoundationalModel

        self._check_free(asked.into, "fm", FoundationalModel)
        source = self._source(asked.data)
        self._model = self._connected().create_foundational_model(
            name=asked.name, ignore_columns=asked.ignore, epochs=asked.epochs, **source
        )
        return self._assign(asked.into or "fm", self._model)

    def _watch(self, asked: argparse.Namespace) -> Any:
        model = self._find_model(asked.model)
        from .widgets.dashboard import TrainingDashboard

        return TrainingDashboard(model)

    def _sphere(self, asked: argparse.Namespace) -> Any:
        model = self._find_model(asked.model)
        from .widgets.sphere import SphereExplorer

        try:
            return SphereExplorer(model, color_by=asked.color_by)
        except ValueError as error:
            raise UsageError(str(error)) from error

    def _movie(self, asked: argparse.Namespace) -> Any:
        model = self._find_model(asked.model)
        from .widgets.movie import TrainingMovie

        try:
            return TrainingMovie(model, color_by=asked.color_by)
        except ValueError as error:
            raise UsageError(str(error)) from error

    # How words become objects, and objects variables.

    def _known_client(self) -> Any:
        """The client in use: the variable ``featrix`` if it is one, else the magic's own."""
        named = self._shell.user_ns.get("featrix")
        return named if hasattr(named, "create_foundational_model") else self._client

    def _connected(self) -> Any:
        client = self._known_client()
        if client is None:
            from featrix_client import FeatrixSphere

            client = self._client = FeatrixSphere()
        return client

    def _source(self, word: str) -> dict[str, Any]:
        """`df=` or `data_file=` for `create_foundational_model`, from a word of the line."""
        value = self._shell.user_ns.get(word, _ABSENT)
        if isinstance(value, str | Path):
            return {"data_file": str(value)}
        if hasattr(value, "columns") and hasattr(value, "to_csv"):
            return {"df": value}
        if value is not _ABSENT:
            raise UsageError(
                f"{word} is a {type(value).__name__}; train takes a pandas DataFrame or a path."
            )
        path = Path(word).expanduser()
        if "://" in word or path.is_file():
            return {"data_file": word if "://" in word else str(path)}
        hint = _closest(word, self._names_of(lambda v: hasattr(v, "to_csv")))
        raise UsageError(f"There is neither a variable nor a file called {word!r}.{hint}")

    def _find_model(self, word: str | None) -> Any:
        if word is None:
            named = self._shell.user_ns.get("fm")
            model = self._model if self._model is not None else named
            if not _is_model(model):
                raise UsageError(
                    "Which model? Name a variable or a model id; %featrix models lists the ids."
                )
            return model
        value = self._shell.user_ns.get(word, _ABSENT)
        if _is_model(value):
            return value
        if value is not _ABSENT:
            raise UsageError(f"{word} is a {type(value).__name__}, not a model.")
        try:
            return self._connected().foundational_model(word)
        except FeatrixHTTPError as error:
            if error.status != 404:
                raise
        hint = _closest(word, self._names_of(_is_model)) or " %featrix models lists the ids."
        raise UsageError(f"There is neither a variable nor a model called {word!r}.{hint}")

    def _check_free(self, asked: str | None, default: str, kind: type) -> None:
        """Refuse to overwrite something else by a default name; a name asked for is the user's."""
        held = self._shell.user_ns.get(default)
        if asked is None and held is not None and not isinstance(held, kind):
            raise UsageError(
                f"The name {default} already holds a {type(held).__name__}. "
                f"Choose another with --as, for example --as my_{default}."
            )

    def _assign(self, name: str, value: Any) -> Any:
        self._shell.user_ns[name] = value
        print(f"In the next cells it is called: {name}")
        return value

    # Completion.

    def _names_of(self, test: Callable[[Any], bool]) -> list[str]:
        names = self._shell.user_ns.items()
        return sorted(n for n, v in names if not n.startswith("_") and test(v))

    def complete(self, event: Any) -> list[str]:
        """Words that may come next; looks at variables only, never at the server."""
        words = event.text_until_cursor.split()[1:]
        if event.symbol:
            words = words[:-1]
        if not words:
            return list(self._parsers)
        parser = self._parsers.get(words[0])
        if parser is None:
            return []
        if words[-1] == "--color-by":
            named = self._shell.user_ns.get(words[1] if len(words) > 2 else "fm")
            return list(getattr(named if _is_model(named) else self._model, "columns", None) or [])
        options = [name for name in parser._option_string_actions if name.startswith("--")]
        if words[0] == "help":
            return list(self._parsers)
        if words[0] == "train":
            return options + self._names_of(lambda v: hasattr(v, "to_csv"))
        return options + (
            self._names_of(_is_model) if words[0] in ("watch", "sphere", "movie") else []
        )


@dataclass
class _Loaded:
    """What `load` put into a shell, and what had been there."""

    magic_before: Any
    completers_before: Any
    names: dict[str, Any]
    restore_displays: Callable[[], None]


_LOADED: WeakKeyDictionary[InteractiveShell, _Loaded] = WeakKeyDictionary()


def load(shell: InteractiveShell) -> None:
    """Register the magic, its completer, the displays and `NAMES`; a second call does nothing."""
    if shell in _LOADED:
        return
    import featrix_client

    magic = FeatrixMagic(shell)
    completers = shell.strdispatchers["complete_command"].strs
    loaded = _Loaded(
        magic_before=shell.magics_manager.magics["line"].get(MAGIC, _ABSENT),
        completers_before=completers.pop(_COMPLETER_KEY, _ABSENT),
        names={},
        restore_displays=display.register(shell),
    )
    shell.magics_manager.register_function(magic.run, "line", MAGIC)
    shell.set_hook(  # type: ignore[no-untyped-call]  # IPython's is untyped
        "complete_command", lambda sh, event: magic.complete(event), str_key=_COMPLETER_KEY
    )
    for name in NAMES:
        if name not in shell.user_ns:
            loaded.names[name] = shell.user_ns[name] = getattr(featrix_client, name)
    _LOADED[shell] = loaded


def unload(shell: InteractiveShell) -> None:
    """Undo `load`; objects the user made with the magic stay."""
    loaded = _LOADED.pop(shell, None)
    if loaded is None:
        return
    magics = shell.magics_manager
    magics.magics["line"].pop(MAGIC, None)
    vars(magics.user_magics).pop(MAGIC, None)
    if loaded.magic_before is not _ABSENT:
        magics.register_function(loaded.magic_before, "line", MAGIC)
    completers = shell.strdispatchers["complete_command"].strs
    completers.pop(_COMPLETER_KEY, None)
    if loaded.completers_before is not _ABSENT:
        completers[_COMPLETER_KEY] = loaded.completers_before
    loaded.restore_displays()
    for name, value in loaded.names.items():
        if shell.user_ns.get(name) is value:
            del shell.user_ns[name]
