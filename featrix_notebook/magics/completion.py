"""Completion of ``%featrix`` lines and ``%%featrix`` cells.

A matcher of IPython's completer (its API of version 2), which sees the whole cell. It looks at
variables only, never at the server: completion must not wait, nor start anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.completer import SimpleCompletion, context_matcher

from .commands import TAKE_RECORDS
from .names import Names, is_data, is_exportable, is_frame, is_model, is_predictor, is_run
from .parsing import MAGIC, Parser

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

_LINE = re.compile(rf"^\s*(?:[\w,\s]+=\s*)?%{MAGIC}[ \t]+")
_CELL = re.compile(rf"^%%{MAGIC}(?:[ \t]+|$)")
_WORD = re.compile(r"'[^']*$|\"[^\"]*$|\S*$")
_WHAT: dict[str, Callable[[Any], bool]] = {
    "train": is_frame,
    "watch": is_run,
    "wait": is_run,
    "card": is_run,
    "compare": is_run,
    "sphere": is_model,
    "movie": is_model,
    "grid": is_predictor,
    "predict": lambda value: is_predictor(value) or is_data(value),
    "export": is_exportable,
}
_READ_FILES = ("train", "predict", "export")
_COLUMN_OPTIONS = ("--color-by", "--classify", "--regress", "--ignore")


def command_text(cell: str, line_number: int, until_cursor: str) -> str | None:
    """What of the text before the cursor belongs to a command of ours; None if nothing does.

    Parameters
    ----------
    cell
        All of it.
    line_number
        The cursor's line, from 0.
    until_cursor
        Its text before the cursor.
    """
    lines = cell.split("\n")
    head = _CELL.match(lines[0])
    if head is None or line_number == 0:
        found = _CELL.match(until_cursor) or _LINE.match(until_cursor)
        return until_cursor[found.end() :] if found else None
    options = lines[0][head.end() :].strip()
    if options.split()[:1] and options.split()[0] in TAKE_RECORDS:
        return None  # the rest of the cell is data
    before = [line.strip() for line in lines[1:line_number]]
    if options:
        return " ".join([options, *before, until_cursor.lstrip()])
    if not until_cursor[:1].isspace():
        return until_cursor
    start = next((i for i in range(line_number, 0, -1) if not lines[i][:1].isspace()), 1)
    return " ".join([*before[start - 1 :], until_cursor.lstrip()])


class Completer:
    """Words that may come next.

    Parameters
    ----------
    names
        The variables.
    parsers
        Command to its parser.
    """

    def __init__(self, names: Names, parsers: dict[str, Parser]) -> None:
        self._names = names
        self._parsers = parsers

    def matcher(self, files: str) -> Callable[[CompletionContext], SimpleMatcherResult]:
        """The function to hand to IPython; `files` is the id of its own completer of files."""

        def match(context: CompletionContext) -> SimpleMatcherResult:
            text = command_text(context.full_text, context.cursor_line, context.text_until_cursor)
            if text is None:
                return {"completions": []}
            fragment = _word_at_end(text)
            before = text[: len(text) - len(fragment)].split()
            found = [word for word in self.words(before) if word.startswith(fragment)]
            return {
                "completions": [SimpleCompletion(text=word, type="param") for word in found],
                "matched_fragment": fragment,
                "suppress": True,
                "do_not_suppress": {files} if before and before[0] in _READ_FILES else set(),
            }

        marked: Callable[[CompletionContext], SimpleMatcherResult]
        marked = context_matcher(identifier=f"%{MAGIC}")(match)
        return marked

    def words(self, before: list[str]) -> list[str]:
        """What may follow these words."""
        if not before:
            return list(self._parsers)
        command = before[0]
        parser = self._parsers.get(command)
        if parser is None:
            return []
        if command == "help":
            return list(self._parsers)
        if (option := _open_option(before)) is not None:
            return self._after_option(option, before)
        options = [name for name in parser._option_string_actions if name.startswith("--")]
        offered = self._names.holding(_WHAT[command]) if command in _WHAT else []
        if command == "train" and {"--classify", "--regress"} & set(before):
            offered = self._names.holding(is_model)
        if command == "grid":
            offered = offered * (len(before) == 1) + self._columns(before)
        return offered + options

    def _after_option(self, option: str, before: list[str]) -> list[str]:
        if option in _COLUMN_OPTIONS:
            return self._columns(before)
        if option == "--record":
            return self._names.holding(lambda value: isinstance(value, dict))
        return []

    def _columns(self, before: list[str]) -> list[str]:
        """Columns of what the command is about, quoted where a word would not hold them."""
        named = [self._names.get(word) for word in before[1:]]
        about = next((one for one in named if hasattr(one, "columns") or is_run(one)), None)
        if about is None:
            about = self._names.model
        if about is None and is_model(fallback := self._names.get("fm")):
            about = fallback
        columns = getattr(about, "columns", None)
        if columns is None and is_predictor(about):
            models = [self._names.model, self._names.get("fm")]
            of = next((m for m in models if getattr(m, "id", None) == about.session_id), None)
            columns = [c for c in getattr(of, "columns", None) or () if c != about.target_column]
        return [_quoted(str(column)) for column in (() if columns is None else columns)]


def _open_option(before: list[str]) -> str | None:
    """The option whose value comes next."""
    if before[-1].startswith("--"):
        return before[-1]
    # --ignore takes many.
    last = next((word for word in reversed(before) if word.startswith("--")), None)
    return last if last == "--ignore" else None


def _word_at_end(text: str) -> str:
    """The word that is being written, with its opening quote; empty after a space."""
    start = 0
    while start < len(text):
        found = _WORD.match(text, start)
        if found is not None:
            return found.group()
        whole = re.compile(r"\s+|'[^']*'|\"[^\"]*\"|\S").match(text, start)
        assert whole is not None  # every character is one of these
        start = whole.end()
    return ""


def _quoted(word: str) -> str:
    if word and not re.search(r"[\s'\"]", word):
        return word
    return f'"{word}"' if "'" in word else f"'{word}'"
