"""The words of ``%featrix``: which commands there are, and what may follow each."""

from __future__ import annotations

import argparse
import difflib
import keyword
import shlex
from collections.abc import Iterable
from typing import NoReturn, Protocol

from IPython.core.error import UsageError

MAGIC = "featrix"


class Command(Protocol):
    """Adds a command; `into` is the name its result gets by itself, None for none at all."""

    def __call__(self, name: str, text: str, into: str | None = "") -> Parser: ...


class HelpShown(Exception):
    """Ends parsing after ``--help`` printed its text."""


class Parser(argparse.ArgumentParser):
    """An argument parser that tells the user instead of ending the kernel."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\n{self.format_usage().strip()}")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise HelpShown


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return int(text)


def _variable(text: str) -> str:
    if not text.isidentifier() or keyword.iskeyword(text):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be the name of a Python variable")
    return text


def build_parsers() -> tuple[Parser, dict[str, Parser]]:
    """The parser of the whole line, and those of the commands by name."""
    main = Parser(prog=f"%{MAGIC}", add_help=False, allow_abbrev=False)
    main.description = "Train, watch and explore tabular embedding models."
    main.epilog = (
        "%featrix help COMMAND explains one. A cell that starts with %%featrix runs one command "
        "a line; %%featrix predict and %%featrix grid take a record as the rest of their cell."
    )
    commands = main.add_subparsers(dest="command", metavar="command", parser_class=Parser)
    made: dict[str, Parser] = {}

    def command(name: str, text: str, into: str | None = "") -> Parser:
        made[name] = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        if into is not None:
            default = f"; default: {into}" if into else ""
            made[name].add_argument(
                "--as", dest="into", type=_variable, metavar="var", help=f"its name{default}"
            )
        return made[name]

    _add_servers_and_training(command)
    _add_looking(command)
    _add_predicting(command)
    _add_taking_along(command)
    helper = command("help", "Show this list, or how to use one command.", None)
    helper.add_argument("topic", nargs="?", choices=list(made), metavar="command")
    return main, made


def _add_servers_and_training(command: Command) -> None:
    command("status", "Say which server is in use and how it is.", None)
    connect = command("connect", "Connect to a server; returns a FeatrixSphere.", "featrix")
    connect.add_argument("url", nargs="?", help="'local' or an address; left out: found by itself")
    models = command("models", "List model ids, newest first.", None)
    models.add_argument("prefix", nargs="?", default="", help="only ids that start like this")

    train = command(
        "train",
        "Start training a model of a table, or a predictor on a model; returns it at once.",
        "fm, or predictor",
    )
    train.add_argument(
        "data",
        nargs="?",
        help="a DataFrame variable, or the path or s3:// URL of a file; with --classify or "
        "--regress a trained model (default: the last)",
    )
    what = train.add_mutually_exclusive_group()
    what.add_argument("--classify", metavar="column", help="train a predictor of its classes")
    what.add_argument("--regress", metavar="column", help="train a predictor of its numbers")
    train.add_argument("--name", help="a name for it")
    train.add_argument("--epochs", type=_positive, metavar="N", help="left out: chosen by itself")
    train.add_argument("--ignore", nargs="+", metavar="column", help="columns to leave out")


def _add_looking(command: Command) -> None:
    watch = command("watch", "Show a training live; returns a TrainingDashboard.")
    wait = command("wait", "Wait until something is trained, with a bar; returns it.")
    for parser in (watch, wait):
        parser.add_argument("what", nargs="?", help="a model or predictor; default: the last")
    wait.add_argument(
        "--for", dest="seconds", type=_positive, default=3600, metavar="seconds",
        help="longest wait; default: 3600",
    )  # fmt: skip
    sphere = command("sphere", "Show a model's rows on the sphere; returns a SphereExplorer.")
    movie = command("movie", "Play a model's training on the sphere; returns a TrainingMovie.")
    for parser in (sphere, movie):
        parser.add_argument("model", nargs="?", help="a variable or a model id; default: the last")
        parser.add_argument("--color-by", metavar="column", help="colour the points by this column")


def _add_predicting(command: Command) -> None:
    grid = command(
        "grid", "Show how a prediction moves along one to three columns: a PredictionHeatmap."
    )
    grid.usage = "%(prog)s [predictor] column [column [column]] [--record var] [--as var]"
    grid.add_argument(
        "words", nargs="+", metavar="column", help="a predictor first, if not the last"
    )
    grid.add_argument("--record", metavar="var", help="a dict: what all cells have in common")
    predict = command(
        "predict", "Predict a record, or many; returns a PredictionResult or BatchResults."
    )
    predict.usage = "%(prog)s [predictor] data [--importance] [--as var]"
    predict.add_argument(
        "words", nargs="*", metavar="data",
        help="a variable (dict, list of dicts, DataFrame) or a CSV file; or the cell's text",
    )  # fmt: skip
    predict.add_argument(
        "--importance", action="store_true", help="also tell how much each column counts"
    )


def _add_taking_along(command: Command) -> None:
    card = command("card", "Show the model card of a model or predictor: a ModelCard.")
    card.add_argument("what", nargs="?", help="a model or predictor; default: the last")
    compare = command(
        "compare", "Compare models (a figure of their losses) or predictors (a table of scores)."
    )
    compare.add_argument("what", nargs="+", help="models, or predictors")
    export = command("export", "Write a model, widget or figure as one file; returns its Path.")
    export.add_argument("what", help="a model, or the variable of a widget or figure")
    export.add_argument("path", nargs="?", help="default: its name, as HTML, in this folder")


def split(line: str) -> list[str]:
    """The words of the line; quotes group, and backslashes stay (Windows paths have them)."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split, lexer.escape, lexer.commenters = True, "", ""
    try:
        return list(lexer)
    except ValueError as error:
        raise UsageError(f"A quote is not closed in: {line}") from error


def closest(word: str, among: Iterable[str]) -> str:
    """A question for the word that may have been meant; empty if there is none."""
    found = difflib.get_close_matches(word, list(among), n=1)
    return f" Did you mean {found[0]!r}?" if found else ""
