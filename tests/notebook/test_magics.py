"""``%load_ext featrix`` and ``%featrix`` in a real IPython shell, against a real server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from featrix_client import FeatrixSphere, FoundationalModel
from featrix_notebook import SphereExplorer, TrainingDashboard, TrainingMovie


@pytest.fixture
def loaded(shell: InteractiveShell, featrix_home: Path) -> Iterator[InteractiveShell]:
    shell.run_line_magic("load_ext", "featrix")
    yield shell
    shell.run_line_magic("unload_ext", "featrix")


def featrix_(shell: InteractiveShell, line: str) -> Any:
    return shell.run_line_magic("featrix", line)


def completions(shell: InteractiveShell, text: str) -> set[str]:
    with provisionalcompleter():
        return {c.text for c in shell.Completer.completions(text, len(text))}


# Loading and unloading


def test_loading_gives_the_magic_and_one_name(shell: InteractiveShell) -> None:
    before = set(shell.user_ns)
    shell.run_line_magic("load_ext", "featrix")
    assert set(shell.user_ns) - before == {"FeatrixSphere"}
    assert shell.user_ns["FeatrixSphere"] is FeatrixSphere
    for kind in ("line", "cell"):
        assert "featrix" in shell.magics_manager.lsmagic()[kind]


def test_unloading_restores_everything(shell: InteractiveShell) -> None:
    def old(line: str) -> str:
        return "the old magic"

    def old_html(client: object) -> str:
        return "the old display"

    html = shell.display_formatter.formatters["text/html"]
    shell.magics_manager.register_function(old, "line", "featrix")
    html.for_type(FoundationalModel, old_html)
    names = dict(shell.user_ns)
    matchers = list(shell.Completer.custom_matchers)
    shell.magics_manager.register_function(lambda line, cell: "the old cell", "cell", "featrix")

    shell.run_line_magic("load_ext", "featrix")
    assert html.lookup_by_type(FoundationalModel) is not old_html
    shell.run_line_magic("unload_ext", "featrix")

    assert shell.run_line_magic("featrix", "") == "the old magic"
    assert shell.run_cell_magic("featrix", "", "status") == "the old cell"
    assert html.lookup_by_type(FoundationalModel) is old_html
    assert FeatrixSphere not in html.type_printers
    assert dict(shell.user_ns) == names
    assert shell.Completer.custom_matchers == matchers


def test_unloading_without_a_predecessor_leaves_no_magic(shell: InteractiveShell) -> None:
    for _ in range(2):  # and it can be loaded again
        shell.run_line_magic("load_ext", "featrix")
        shell.run_line_magic("unload_ext", "featrix")
    assert shell.find_line_magic("featrix") is None
    assert shell.find_cell_magic("featrix") is None
    assert completions(shell, "%featrix tr") == set()
    assert "FeatrixSphere" not in shell.user_ns


def test_names_of_the_user_stay_the_users(shell: InteractiveShell) -> None:
    shell.user_ns["FeatrixSphere"] = "mine"
    shell.run_line_magic("load_ext", "featrix")
    assert shell.user_ns["FeatrixSphere"] == "mine"
    shell.run_line_magic("unload_ext", "featrix")
    assert shell.user_ns["FeatrixSphere"] == "mine"


def test_a_name_changed_after_loading_survives_unloading(shell: InteractiveShell) -> None:
    shell.run_line_magic("load_ext", "featrix")
    shell.user_ns["FeatrixSphere"] = "changed"
    shell.run_line_magic("unload_ext", "featrix")
    assert shell.user_ns["FeatrixSphere"] == "changed"


def test_loading_draws_in_no_heavy_library() -> None:
    code = (
        "import sys; from IPython.core.interactiveshell import InteractiveShell as S; s = S();"
        "s.run_line_magic('load_ext', 'featrix');"
        "print([m for m in ('matplotlib', 'plotly', 'anywidget', 'jax') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Commands


def test_status_before_connecting_starts_no_server(loaded: InteractiveShell) -> None:
    assert featrix_(loaded, "status")["status"] == "not connected"


def test_connect_assigns_and_returns(
    loaded: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    client = featrix_(loaded, "connect")
    assert isinstance(client, FeatrixSphere)
    assert loaded.user_ns["featrix"] is client
    assert "featrix" in capsys.readouterr().out
    status = featrix_(loaded, "status")
    assert status["status"] == "ok"
    assert status["server"] == client.url


def test_train_watch_sphere_models(
    loaded: InteractiveShell, animals: pd.DataFrame, tmp_path: Path
) -> None:
    loaded.user_ns["animals"] = animals
    line = "train animals --name 'two words' --epochs 2 --ignore species_id month --as model"
    model = featrix_(loaded, line)
    assert loaded.user_ns["model"] is model
    assert model.name == "two words"
    dashboard = featrix_(loaded, "watch")
    assert isinstance(dashboard, TrainingDashboard)
    dashboard.close()
    model.wait_for_training(poll_interval=1, show_progress=False)
    assert set(model.columns) == {"sex", "hindfoot_length", "weight"}
    assert model.epochs == 2
    sphere = featrix_(loaded, "sphere model --color-by weight")
    assert isinstance(sphere, SphereExplorer)
    assert sphere.color_by == "weight"
    sphere.close()
    movie = featrix_(loaded, "movie model --color-by weight")
    assert isinstance(movie, TrainingMovie)
    assert movie.color_by == "weight"
    movie.close()
    assert model.id in featrix_(loaded, "models")
    assert model.id in featrix_(loaded, "models two")
    assert featrix_(loaded, "models no-such-prefix") == []
    by_id = featrix_(loaded, f"sphere {model.id}")
    assert len(by_id.summary()) > 0
    by_id.close()


def test_train_reads_a_file(
    loaded: InteractiveShell, animals: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "my animals.csv"
    animals.to_csv(path, index=False)
    model = featrix_(loaded, f'train "{path}" --epochs 1')
    assert loaded.user_ns["fm"] is model
    model.wait_for_training(poll_interval=1, show_progress=False)


def test_results_can_be_assigned_and_silenced(loaded: InteractiveShell) -> None:
    loaded.run_cell("answer = %featrix models none-like-this").raise_error()
    assert loaded.user_ns["answer"] == []
    assert featrix_(loaded, "models none-like-this;") == []


# Mistakes


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("trian df", "Did you mean 'train'?"),
        ("dance", "The commands are: status, connect"),
        ("train", "data"),
        ("train nothing.csv", "neither a variable nor a file called 'nothing.csv'"),
        ("train animls", "Did you mean 'animals'?"),
        ("train number", "number is a int"),
        ("train animals --epochs 0", "at least 1"),
        ("train animals --epochs many", "at least 1"),
        ("train animals --as 2x", "cannot be the name of a Python variable"),
        ("train animals --as class", "cannot be the name of a Python variable"),
        ("train animals --colour red", "--colour"),
        ("train animals --ignore height --as m", "height"),
        ("train 'animals", "quote"),
        ("watch number", "number is a int, not a model or a predictor"),
        ("sphere number", "number is a int, not a model"),
        (
            "watch no-such-model",
            "neither a variable nor a model or predictor called 'no-such-model'",
        ),
        ("connect ftp://somewhere", "ftp"),
    ],
)
def test_mistakes_are_told_in_one_line(
    loaded: InteractiveShell, animals: pd.DataFrame, line: str, says: str
) -> None:
    loaded.user_ns.update(animals=animals, number=3)
    with pytest.raises(UsageError) as caught:
        featrix_(loaded, line)
    assert says in str(caught.value)


def test_watch_without_any_model_asks_which(loaded: InteractiveShell) -> None:
    with pytest.raises(UsageError, match="Which model"):
        featrix_(loaded, "watch")


def test_unknown_color_column_is_a_usage_error(
    loaded: InteractiveShell, trained: FoundationalModel
) -> None:
    loaded.user_ns["fm"] = trained
    with pytest.raises(UsageError, match=r"no column 'wieght'.*weight"):
        featrix_(loaded, "sphere fm --color-by wieght")
    with pytest.raises(UsageError, match=r"no column 'wieght'.*weight"):
        featrix_(loaded, "movie fm --color-by wieght")


def test_a_default_name_in_use_is_not_overwritten(
    loaded: InteractiveShell, animals: pd.DataFrame
) -> None:
    loaded.user_ns.update(animals=animals, fm="my frequency modulation", featrix=[1])
    with pytest.raises(UsageError, match="--as"):
        featrix_(loaded, "train animals")
    with pytest.raises(UsageError, match="--as"):
        featrix_(loaded, "connect")
    assert loaded.user_ns["fm"] == "my frequency modulation"


@pytest.mark.parametrize(
    ("line", "says"),
    [("", "train"), ("help", "sphere"), ("help train", "--ignore"), ("train --help", "--epochs")],
)
def test_help_is_printed(
    loaded: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str, says: str
) -> None:
    assert featrix_(loaded, line) is None
    assert says in capsys.readouterr().out


# Completion


def test_completion(
    loaded: InteractiveShell, animals: pd.DataFrame, trained: FoundationalModel
) -> None:
    loaded.user_ns.update(animals=animals, forest=trained)
    assert completions(loaded, "%featrix tr") >= {"train"}
    assert completions(loaded, "%featrix train ani") >= {"animals"}
    assert completions(loaded, "%featrix train animals --ep") >= {"--epochs"}
    assert completions(loaded, "%featrix watch fo") >= {"forest"}
    assert completions(loaded, "%featrix sphere forest --color-by we") >= {"weight"}
    assert completions(loaded, "%featrix help sp") >= {"sphere"}
