"""How the words of ``%featrix`` become objects, and objects variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from featrix_client.errors import FeatrixHTTPError

from .parsing import closest

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

ABSENT = object()


def is_model(value: object) -> bool:
    """Ours, or another client's model object with the same methods."""
    return not isinstance(value, type) and hasattr(value, "get_projections")


def is_predictor(value: object) -> bool:
    """Ours, or another client's predictor with the same methods."""
    return not isinstance(value, type) and hasattr(value, "batch_predict")


def is_run(value: object) -> bool:
    """A model or a predictor: something that is trained."""
    return is_model(value) or is_predictor(value)


def is_frame(value: object) -> bool:
    """A pandas DataFrame."""
    return hasattr(value, "columns") and hasattr(value, "to_csv") and not isinstance(value, type)


def is_data(value: object) -> bool:
    """What a predictor can be asked about."""
    return is_frame(value) or isinstance(value, Mapping | list)


def is_exportable(value: object) -> bool:
    """What can be written as a file: a model, a widget, a figure."""
    writers = ("to_html", "savefig", "write_html")
    drawn = any(hasattr(value, name) for name in writers) and not is_frame(value)
    return not isinstance(value, type) and (is_model(value) or drawn)


class Names:
    """The variables of one shell, and what was used last.

    Parameters
    ----------
    shell
        The shell whose namespace is read from and assigned to.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self.client: Any = None
        self.model: Any = None
        self.predictor: Any = None
        self.run: Any = None

    def get(self, word: str) -> Any:
        """The value of a variable, or `ABSENT`."""
        return self._shell.user_ns.get(word, ABSENT)

    def holding(self, test: Callable[[Any], bool]) -> list[str]:
        """The user's variables whose values pass."""
        names = list(self._shell.user_ns.items())
        return sorted(n for n, v in names if not n.startswith("_") and test(v))

    # ------------------------------------------------------------------ objects

    def known_client(self) -> Any:
        """The client in use: the variable ``featrix`` if it is one, else the last."""
        named = self._shell.user_ns.get("featrix")
        return named if hasattr(named, "create_foundational_model") else self.client

    def connected(self) -> Any:
        """The client in use; made now if there is none."""
        client = self.known_client()
        if client is None:
            from featrix_client import FeatrixSphere

            client = self.client = FeatrixSphere()
        return client

    def find_model(self, word: str | None) -> Any:
        """A model by variable or id; without a word the last one."""
        if word is None:
            named = self._shell.user_ns.get("fm")
            model = self.model if self.model is not None else named
            if not is_model(model):
                raise UsageError(
                    "Which model? Name a variable or a model id; %featrix models lists the ids."
                )
            return self.used(model)
        value = self.get(word)
        if is_model(value):
            return self.used(value)
        if value is not ABSENT:
            raise UsageError(f"{word} is a {type(value).__name__}, not a model.")
        found = self._model_of_server(word)
        if found is None:
            hint = closest(word, self.holding(is_model)) or " %featrix models lists the ids."
            raise UsageError(f"There is neither a variable nor a model called {word!r}.{hint}")
        return self.used(found)

    def find_predictor(self, word: str | None) -> Any:
        """A predictor by variable, or by its id, name or target within the last model.

        Without a word: the last one, else the variable ``predictor``, else the model's only one.
        """
        if word is None:
            named = self._shell.user_ns.get("predictor")
            for one in (self.predictor, named):
                if is_predictor(one):
                    return self.used(one)
            made = self._predictors_of_model()
            if len(made) != 1:
                told = f" The model has: {', '.join(one.name for one in made)}." if made else ""
                raise UsageError(f"Which predictor? Name a variable or an id.{told}")
            return self.used(made[0])
        found = self.named_predictor(word)
        if found is None:
            value = self.get(word)
            if value is not ABSENT:
                raise UsageError(f"{word} is a {type(value).__name__}, not a predictor.")
            hint = closest(word, self.holding(is_predictor))
            raise UsageError(f"There is neither a variable nor a predictor called {word!r}.{hint}")
        return self.used(found)

    def named_predictor(self, word: str) -> Any:
        """The predictor that a word names, or None."""
        value = self.get(word)
        if value is not ABSENT:
            return value if is_predictor(value) else None
        return next(
            (one for one in self._predictors_of_model() if word in (one.id, one.name)), None
        )

    def find_run(self, word: str | None) -> Any:
        """A model or a predictor; without a word what was used last."""
        if word is None:
            if self.run is not None:
                return self.run
            named = [self._shell.user_ns.get(name) for name in ("predictor", "fm")]
            return next((one for one in named if is_run(one)), None) or self.find_model(None)
        value = self.get(word)
        if is_run(value):
            return self.used(value)
        if value is not ABSENT:
            raise UsageError(f"{word} is a {type(value).__name__}, not a model or a predictor.")
        found = self.named_predictor(word) or self._model_of_server(word)
        if found is None:
            hint = closest(word, self.holding(is_run)) or " %featrix models lists the ids."
            raise UsageError(
                f"There is neither a variable nor a model or predictor called {word!r}.{hint}"
            )
        return self.used(found)

    def source(self, word: str) -> dict[str, Any]:
        """`df=` or `data_file=` for `create_foundational_model`, from a word of the line."""
        value = self.get(word)
        if isinstance(value, str | Path):
            return {"data_file": str(value)}
        if is_frame(value):
            return {"df": value}
        if value is not ABSENT:
            raise UsageError(
                f"{word} is a {type(value).__name__}; train takes a pandas DataFrame or a path."
            )
        path = Path(word).expanduser()
        if "://" in word or path.is_file():
            return {"data_file": word if "://" in word else str(path)}
        hint = closest(word, self.holding(is_frame))
        raise UsageError(f"There is neither a variable nor a file called {word!r}.{hint}")

    def used(self, run: Any) -> Any:
        """Remember what was used, for commands that name nothing."""
        self.run = run
        if is_model(run):
            self.model = run
        else:
            self.predictor = run
        return run

    def _model_of_server(self, word: str) -> Any:
        try:
            return self.connected().foundational_model(word)
        except FeatrixHTTPError as error:
            if error.status != 404:
                raise
        except ValueError:  # it is not even the form of an id
            pass
        return None

    def _predictors_of_model(self) -> list[Any]:
        named = self._shell.user_ns.get("fm")
        model = self.model if self.model is not None else named
        return list(model.list_predictors()) if is_model(model) else []

    # ---------------------------------------------------------------- variables

    def check_free(self, asked: str | None, default: str, kind: type) -> None:
        """Refuse to overwrite something else by a default name; a name asked for is the user's."""
        held = self._shell.user_ns.get(default)
        if asked is None and held is not None and not isinstance(held, kind):
            raise UsageError(
                f"The name {default} already holds a {type(held).__name__}. "
                f"Choose another with --as, for example --as my_{default}."
            )

    def assign(self, name: str | None, value: Any) -> Any:
        """Give a value a name, if there is one, and return it."""
        if name is not None:
            self._shell.user_ns[name] = value
            print(f"In the next cells it is called: {name}")
        return value
