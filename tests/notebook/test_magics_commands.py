"""Waiting, predicting, comparing and exporting with ``%featrix`` and ``%%featrix``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure

from featrix_client import (
    BatchResults,
    FoundationalModel,
    ModelCard,
    PredictionResult,
    Predictor,
)
from featrix_notebook import PredictionHeatmap, TrainingDashboard
from tests.client.predicting import ModelServer

CARD = {
    "model_identification": {"name": "m"},
    "feature_inventory": [
        {"name": "age", "type": "scalar", "statistics": {"min": 18.0, "max": 90.0}},
        {"name": "plan", "type": "set", "statistics": {"basic": 9, "gold": 5}},
    ],
}


@pytest.fixture
def loaded(shell: InteractiveShell) -> Iterator[InteractiveShell]:
    shell.run_line_magic("load_ext", "featrix")
    yield shell
    shell.run_line_magic("unload_ext", "featrix")


@pytest.fixture
def at_hand(loaded: InteractiveShell, model: ModelServer, predictor: Predictor) -> InteractiveShell:
    """A shell that knows a client, a model with one predictor, and some records."""
    model.card = CARD
    model.metrics = {"training_metrics": {"final_metrics": {"accuracy": 0.8, "roc_auc": 0.9}}}
    loaded.user_ns.update(
        featrix=model.featrix,
        fm=model.featrix.foundational_model("m-1"),
        churn=predictor,
        someone={"age": 70, "plan": "basic"},
        people=pd.DataFrame({"age": [20, 70, 80], "plan": ["gold", "basic", None]}),
        number=3,
    )
    return loaded


def line(shell: InteractiveShell, text: str) -> Any:
    return shell.run_line_magic("featrix", text)


def cell(shell: InteractiveShell, text: str, body: str) -> Any:
    return shell.run_cell_magic("featrix", text, body)


def completions(shell: InteractiveShell, text: str) -> set[str]:
    with provisionalcompleter():
        return {c.text for c in shell.Completer.completions(text, len(text))}


# ------------------------------------------------------------------ one after another


def test_from_a_table_to_predictions_on_a_real_server(
    loaded: InteractiveShell, trained: FoundationalModel, animals: pd.DataFrame, tmp_path: Path
) -> None:
    loaded.user_ns.update(fm=trained, animals=animals, first=animals.iloc[0])
    predictor = line(loaded, "train fm --classify sex --epochs 2")
    assert loaded.user_ns["predictor"] is predictor
    assert line(loaded, "wait") is predictor
    assert predictor.status == "done"
    many = line(loaded, "predict predictor animals")
    assert isinstance(many, BatchResults)
    assert len(many) == len(animals)
    assert isinstance(line(loaded, "predict first --as answer"), PredictionResult)
    assert loaded.user_ns["answer"].prediction == many[0].prediction
    heatmap = line(loaded, "grid weight month --as what_if")
    assert isinstance(heatmap, PredictionHeatmap)
    assert heatmap.wait(60)
    page = line(loaded, f"export what_if {tmp_path / 'grid.html'}")
    assert page.read_text().startswith("<!doctype html>")
    heatmap.close()
    assert isinstance(line(loaded, "card"), ModelCard)
    assert line(loaded, "card fm")["data_summary"]["total_rows"] == 300
    page = line(loaded, f"export fm {tmp_path / 'report.html'}")
    assert "Predicting sex" in page.read_text()
    scores = line(loaded, "compare predictor predictor")
    assert scores["accuracy"].tolist() == [predictor.accuracy] * 2


# --------------------------------------------------------------------------- predicting


def test_records_files_and_cells_are_predicted(at_hand: InteractiveShell, tmp_path: Path) -> None:
    told = line(at_hand, "predict churn someone --importance")
    assert set(told.feature_importance) == {"age", "plan", "visits"}
    one = line(at_hand, "predict churn someone")
    assert (one.predicted_class, type(one)) == ("yes", PredictionResult)
    assert [r.predicted_class for r in line(at_hand, "predict people")] == ["no", "yes", "yes"]
    (tmp_path / "p.csv").write_text("age,plan\n20,gold\n80,basic\n")
    assert len(line(at_hand, f"predict {tmp_path / 'p.csv'}")) == 2
    written = line(at_hand, 'predict churn {"age": 80, "plan": null} --as told')
    assert at_hand.user_ns["told"] is written
    assert written.predicted_class == "yes"
    assert cell(at_hand, "predict churn --as told", "{'age': 70, 'plan': None}\n") is not None
    assert at_hand.user_ns["told"].predicted_class == "yes"
    for body in ('[{"age": 20, "plan": null}]', "age,plan\n20, gold\n"):
        (answer,) = cell(at_hand, "predict", body)
        assert answer.predicted_class == "no"


def test_the_only_predictor_of_the_model_is_found(at_hand: InteractiveShell) -> None:
    assert line(at_hand, "predict someone").predicted_class == "yes"
    assert line(at_hand, "predict p1 someone").predicted_class == "yes"


def test_a_grid_has_a_record_in_common(at_hand: InteractiveShell) -> None:
    heatmap = cell(at_hand, "grid churn age --as g", "{'plan': 'gold'}")
    assert at_hand.user_ns["g"] is heatmap
    assert heatmap.base_record == {"plan": "gold"}
    heatmap.close()
    heatmap = line(at_hand, "grid age --record someone")
    assert heatmap.base_record["plan"] == "basic"
    heatmap.close()


def test_models_and_predictors_are_compared(at_hand: InteractiveShell, model: ModelServer) -> None:
    model.add("p2", name="second")
    figure = line(at_hand, "compare fm m-1 --as losses")
    assert isinstance(figure, Figure)
    assert at_hand.user_ns["losses"] is figure
    scores = line(at_hand, "compare churn second")
    assert list(scores.index) == ["churn", "second"]
    assert list(scores.columns) == ["predicts", "status", "accuracy", "roc_auc"]


# ---------------------------------------------------------------------------- exporting


def test_widgets_and_figures_are_exported(
    at_hand: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    at_hand.user_ns["board"] = TrainingDashboard(pd.DataFrame({"loss": [2.0, 1.0]}))
    at_hand.user_ns["drawn"] = a_figure()
    assert [line(at_hand, "export board").name for _ in range(2)] == ["board.html", "board-2.html"]
    assert "<!doctype html>" in (tmp_path / "board-2.html").read_text()
    assert line(at_hand, "export drawn picture.svg --as there") == Path("picture.svg")
    assert at_hand.user_ns["there"].read_text().startswith("<?xml")
    at_hand.user_ns["board"].close()


def a_figure() -> Figure:
    figure = Figure()
    figure.add_subplot().plot([1, 2])
    return figure


# -------------------------------------------------------------------------------- cells


def test_a_cell_runs_its_lines_in_turn(at_hand: InteractiveShell) -> None:
    body = "# what becomes of them\npredict people\n  --as all\n\npredict someone --as one\n"
    last = cell(at_hand, "", body)
    assert at_hand.user_ns["one"] is last
    assert len(at_hand.user_ns["all"]) == 3


def test_a_cell_goes_on_with_the_line_of_its_command(at_hand: InteractiveShell) -> None:
    assert len(cell(at_hand, "compare", "churn\nchurn\n")) == 2


def test_a_mistake_in_a_cell_names_its_line(at_hand: InteractiveShell) -> None:
    with pytest.raises(UsageError, match=r"Line 3 of the cell: .*Did you mean 'predict'"):
        cell(at_hand, "", "help status\npredct someone\nmodels\n")


# ----------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("predict", "needs data"),
        (
            "sphere fm --color_by age",
            "'--color_by age'. Did you mean '--color-by'?\nusage: %featrix sphere",
        ),
        ("status of it", "does not know 'of it'"),
        ("predict churn nobody", "neither a variable nor a file called 'nobody'"),
        ("predict churn peple", "Did you mean 'people'?"),
        ("predict churn number", "number is a int; predict takes"),
        ("predict number someone", "number is a int, not a predictor"),
        ("predict chrun someone", "Did you mean 'churn'?"),
        ("predict churn churn someone", "one predictor, not 2"),
        ("predict people --importance", "--importance is for one record"),
        ("grid churn", "one to three columns, not 0"),
        ("grid churn a b c d", "one to three columns, not 4"),
        ("grid churn shoe", "shoe"),
        ("grid churn age --record people", "one record in common"),
        ("compare fm churn", "not both at once"),
        ("compare", "required: what"),
        ("card number", "not a model or a predictor"),
        ("wait number", "not a model or a predictor"),
        ("wait fm --for 0", "at least 1"),
        ("export number", "number is a int; export takes"),
        ("export people", "people is a table"),
        ("export churn x.html", "churn is a Predictor"),
        ("export fm model.docx", "not as '.docx'"),
        ("export fm /no/such/folder/m.html", "no folder"),
        ("export nothing-of-this-name", "neither a variable nor a model"),
        ("train --ignore age", "train needs data"),
        ("train fm --classify churned --ignore age", "--ignore is for a table"),
        ("train fm --classify a --regress b", "not allowed with"),
    ],
)
def test_mistakes_are_told_in_one_line(at_hand: InteractiveShell, text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        line(at_hand, text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "is empty"),
        ("{'age': age}", "variables do not count"),
        ("age", "column names"),
        ("[]", "holds no record"),
        ("__import__('os').abort()", "column names"),
    ],
)
def test_a_cell_without_a_record_is_refused(
    at_hand: InteractiveShell, body: str, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        cell(at_hand, "predict churn", body)


def test_many_predictors_are_told_apart(at_hand: InteractiveShell, model: ModelServer) -> None:
    model.add("p2", name="second")
    with pytest.raises(UsageError, match=r"Which predictor.*second"):
        line(at_hand, "predict someone")


def test_a_training_that_failed_is_told_without_a_traceback(
    at_hand: InteractiveShell, model: ModelServer
) -> None:
    model.add("p3", "failed", name="broken", error="no rows")
    with pytest.raises(UsageError, match="failed: no rows"):
        line(at_hand, "wait broken")


# --------------------------------------------------------------------------- completion


@pytest.mark.parametrize(
    ("text", "offers"),
    [
        ("%featrix wait chu", {"churn"}),
        ("%featrix predict ", {"churn", "people", "someone", "--importance"}),
        ("answer = %featrix predict churn some", {"someone"}),
        ("%featrix grid churn a", {"age"}),
        ("%featrix grid churn age --record s", {"someone"}),
        ("%featrix train fm --classify chur", {"churned"}),
        ("%featrix train people --ignore age pl", {"plan"}),
        ("%featrix compare fm chu", {"churn"}),
        ("%featrix export f", {"fm"}),
        ("%%featrix pre", {"predict"}),
        ("%%featrix\nsta", {"status"}),
        ("%%featrix\nstatus\npredict churn peo", {"people"}),
        ("%%featrix\npredict churn\n  peo", {"people"}),
        ("%%featrix compare\nfm\nchu", {"churn"}),
        ("%featrix train odd --ignore 'two w", {"'two words'"}),
    ],
)
def test_completion(at_hand: InteractiveShell, text: str, offers: set[str]) -> None:
    at_hand.user_ns["odd"] = pd.DataFrame({"two words": [1]})
    found = completions(at_hand, text)
    assert found >= offers
    assert "print" not in found


def test_files_are_offered_where_one_is_read(
    at_hand: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fmri.csv").write_text("a\n1\n")
    monkeypatch.chdir(tmp_path)
    assert "fmri.csv" in completions(at_hand, "%featrix train fm")
    assert completions(at_hand, "%featrix sphere fm") == {"fm"}


def test_the_data_of_a_cell_is_no_command(at_hand: InteractiveShell) -> None:
    assert "status" not in completions(at_hand, "%%featrix predict churn\nsta")


def test_completion_asks_no_server(at_hand: InteractiveShell, model: ModelServer) -> None:
    asked = len(model.bodies)
    model.status = None  # type: ignore[assignment,method-assign]  # any question would fail
    completions(at_hand, "%featrix grid churn ")
    assert len(model.bodies) == asked
