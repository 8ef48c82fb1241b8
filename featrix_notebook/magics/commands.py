"""What each command of ``%featrix`` does."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from featrix_client.errors import FeatrixError
from featrix_notebook import display

from .cells import command_lines, read_records
from .names import ABSENT, Names, is_data, is_exportable, is_frame, is_model, is_predictor
from .parsing import HelpShown, build_parsers, closest, split

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

TAKE_RECORDS = ("predict", "grid")
"""Commands to which the rest of a ``%%featrix`` cell is data; to others, further words."""


class FeatrixMagic:
    """What ``%featrix`` does in one shell.

    Parameters
    ----------
    shell
        The shell whose namespace the commands read from and assign to.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self.names = Names(shell)
        self.main, self.parsers = build_parsers()

    def run(self, line: str) -> Any:
        """Train, watch and explore tabular embedding models.

        ``%featrix help`` lists the commands; ``%featrix help train`` explains one of them.
        """
        return self._run(line)

    def run_cell(self, line: str, cell: str) -> Any:
        """Run one command a line of the cell, or one command with the cell as its data.

        ``%%featrix`` runs the lines of the cell in turn and returns what the last one made;
        indented lines go on with the line before, ``#`` begins a comment. ``%%featrix predict``
        and ``%%featrix grid`` take a record from the cell, as Python, JSON or CSV; to other
        commands the cell is the rest of their line.
        """
        words = split(line)
        if words and words[0] in TAKE_RECORDS:
            return self._run(line, cell)
        if words:
            rest = [text for _, text in command_lines(cell)]
            return self._run(" ".join([line, *rest]))
        result = None
        for number, text in command_lines(cell):
            try:
                result = self._run(text)
            except UsageError as error:
                raise UsageError(f"Line {number} of the cell: {error}") from error
        return result

    def _run(self, line: str, cell: str | None = None) -> Any:
        if cell is None and "{" in line and line.split()[0] in TAKE_RECORDS:
            before, _, rest = line.partition("{")  # a record in the line itself
            inside, _, after = rest.rpartition("}")
            return self._run(f"{before} {after}", f"{{{inside}}}")
        words = split(line.strip().removesuffix(";")) or ["help"]
        if not words[0].startswith("-") and words[0] not in self.parsers:
            known = ", ".join(self.parsers)
            hint = closest(words[0], self.parsers) or f" The commands are: {known}."
            raise UsageError(f"%featrix has no command {words[0]!r}.{hint}")
        try:
            asked, unknown = self.main.parse_known_args(words)
            if unknown:
                parser = self.parsers.get(asked.command, self.main)
                options = [o for o in parser.format_usage().split() if o.startswith("[-")]
                hint = closest(unknown[0], [option.strip("[]") for option in options])
                parser.error(f"{parser.prog} does not know {' '.join(unknown)!r}.{hint}")
            asked.cell = cell
            command: Callable[[argparse.Namespace], Any] = getattr(self, f"_{asked.command}")
            return command(asked)
        except HelpShown:
            return None
        except FeatrixError as error:
            # Its message says what to do; a traceback through the client would only hide it.
            raise UsageError(str(error)) from error

    def _made(self, asked: argparse.Namespace, value: Any) -> Any:
        return self.names.assign(asked.into, value)

    def _help(self, asked: argparse.Namespace) -> None:
        (self.parsers[asked.topic] if asked.topic else self.main).print_help()

    # ------------------------------------------------------- servers and training

    def _status(self, asked: argparse.Namespace) -> dict[str, Any]:
        client = self.names.known_client()
        if client is None:
            # Asking for the status must not start a server.
            return {"status": "not connected", "hint": "%featrix connect"}
        if not display.answers(client):
            return {"server": client.url, "status": "not running", "hint": "%featrix connect"}
        return {"server": client.url, **client.health_check()}

    def _connect(self, asked: argparse.Namespace) -> Any:
        from featrix_client import FeatrixSphere

        self.names.check_free(asked.into, "featrix", FeatrixSphere)
        self.names.client = FeatrixSphere(asked.url) if asked.url else FeatrixSphere()
        return self.names.assign(asked.into or "featrix", self.names.client)

    def _models(self, asked: argparse.Namespace) -> list[str]:
        return list(self.names.connected().list_sessions(asked.prefix))

    def _train(self, asked: argparse.Namespace) -> Any:
        from featrix_client import FoundationalModel

        if asked.classify or asked.regress:
            return self._train_predictor(asked)
        if asked.data is None:
            raise UsageError(
                "train needs data: a DataFrame variable, or the path or URL of a file.\n"
                + self.parsers["train"].format_usage().strip()
            )
        self.names.check_free(asked.into, "fm", FoundationalModel)
        source = self.names.source(asked.data)
        model = self.names.connected().create_foundational_model(
            name=asked.name, ignore_columns=asked.ignore, epochs=asked.epochs, **source
        )
        return self.names.assign(asked.into or "fm", self.names.used(model))

    def _train_predictor(self, asked: argparse.Namespace) -> Any:
        from featrix_client import Predictor

        if asked.ignore:
            raise UsageError("--ignore is for a table; a predictor uses the columns of its model.")
        self.names.check_free(asked.into, "predictor", Predictor)
        model = self.names.find_model(asked.data)
        create = model.create_multi_classifier if asked.classify else model.create_regressor
        predictor = create(
            asked.classify or asked.regress, name=asked.name, epochs=asked.epochs or 0
        )
        return self.names.assign(asked.into or "predictor", self.names.used(predictor))

    def _wait(self, asked: argparse.Namespace) -> Any:
        run = self.names.find_run(asked.what)
        run.wait_for_training(max_wait_time=asked.seconds)
        return self._made(asked, run)

    # -------------------------------------------------------------------- looking

    def _watch(self, asked: argparse.Namespace) -> Any:
        run = self.names.find_run(asked.what)
        from featrix_notebook.widgets.dashboard import TrainingDashboard

        return self._made(asked, TrainingDashboard(run))

    def _sphere(self, asked: argparse.Namespace) -> Any:
        model = self.names.find_model(asked.model)
        from featrix_notebook.widgets.sphere import SphereExplorer

        return self._made(asked, _told(SphereExplorer, model, color_by=asked.color_by))

    def _movie(self, asked: argparse.Namespace) -> Any:
        model = self.names.find_model(asked.model)
        from featrix_notebook.widgets.movie import TrainingMovie

        return self._made(asked, _told(TrainingMovie, model, color_by=asked.color_by))

    def _card(self, asked: argparse.Namespace) -> Any:
        return self._made(asked, self.names.find_run(asked.what).get_model_card())

    def _compare(self, asked: argparse.Namespace) -> Any:
        runs = [self.names.find_run(word) for word in asked.what]
        # A variable is the user's own name for it; an id says less than the name behind it.
        labels = [
            word if self.names.get(word) is not ABSENT else str(run.name or word)
            for word, run in zip(asked.what, runs, strict=True)
        ]
        from featrix_notebook.comparison import predictor_scores

        if all(map(is_predictor, runs)):
            return self._made(asked, predictor_scores(runs, labels))
        if not all(map(is_model, runs)):
            raise UsageError("compare takes either models or predictors, not both at once.")
        from featrix_notebook.helper import NotebookHelper

        return self._made(asked, NotebookHelper().training_comparison(runs, labels))

    # ----------------------------------------------------------------- predicting

    def _predict(self, asked: argparse.Namespace) -> Any:
        words = list(asked.words)
        data: Any = ABSENT if asked.cell is None else read_records(asked.cell)
        if data is ABSENT:
            if not words:
                usage = self.parsers["predict"].format_usage().strip()
                raise UsageError(f"predict needs data: a variable or a CSV file.\n{usage}")
            data = self._data(words.pop())
        if len(words) > 1:
            raise UsageError(f"predict takes one predictor, not {len(words)}.")
        predictor = self.names.find_predictor(words[0] if words else None)
        if isinstance(data, Mapping):
            return self._made(asked, predictor.predict(data, feature_importance=asked.importance))
        if asked.importance:
            raise UsageError("--importance is for one record; these are many.")
        ask = predictor.predict_csv_file if isinstance(data, Path) else predictor.batch_predict
        return self._made(asked, ask(data, show_progress=True))

    def _data(self, word: str) -> Any:
        """A record, several, or the path of a file of them."""
        value = self.names.get(word)
        if is_data(value):
            return value
        if hasattr(value, "to_dict") and not isinstance(value, type):
            return value.to_dict()  # a row of a DataFrame
        named: Any = word if value is ABSENT else value
        if not isinstance(named, str | Path):
            raise UsageError(
                f"{word} is a {type(value).__name__}; predict takes a dict, a list of dicts, a "
                "DataFrame or the path of a CSV file."
            )
        path = Path(named).expanduser()
        if not path.is_file():
            hint = closest(word, self.names.holding(is_data))
            raise UsageError(f"There is neither a variable nor a file called {word!r}.{hint}")
        return path

    def _grid(self, asked: argparse.Namespace) -> Any:
        columns = list(asked.words)
        named = self.names.named_predictor(columns[0])
        predictor = self.names.find_predictor(columns.pop(0) if named is not None else None)
        if not 1 <= len(columns) <= 3:
            usage = self.parsers["grid"].format_usage().strip()
            raise UsageError(f"grid takes one to three columns, not {len(columns)}.\n{usage}")
        record: Any = None
        if asked.cell is not None:
            record = read_records(asked.cell)
        elif asked.record is not None:
            record = self._data(asked.record)
        if record is not None and not isinstance(record, Mapping):
            raise UsageError("A grid has one record in common, a dict; this is none.")
        from featrix_notebook.widgets.heatmap import PredictionHeatmap

        return self._made(asked, _told(PredictionHeatmap, predictor, axes=columns, record=record))

    # --------------------------------------------------------------- taking along

    def _export(self, asked: argparse.Namespace) -> Path:
        from featrix_notebook.exporting import export

        value = self.names.get(asked.what)
        if value is ABSENT:
            value = self.names.find_model(asked.what)
        if not is_exportable(value):
            kind = "table" if is_frame(value) else type(value).__name__
            raise UsageError(
                f"{asked.what} is a {kind}; export takes a model, a widget or a figure."
            )
        made: Path = self._made(asked, _told(export, value, asked.path, asked.what))
        return made


def _told(make: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What is made, or in one line why it cannot be."""
    try:
        return make(*arguments, **options)
    except (ValueError, TypeError, OSError) as error:
        raise UsageError(str(error)) from error
