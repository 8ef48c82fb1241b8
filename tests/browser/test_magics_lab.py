"""``%featrix`` and the displays of client objects in a real JupyterLab, light and dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.browser.conftest import Lab, Notebook
from tests.client.predicting import ModelServer
from tests.client.scripted import ScriptedServer

EVIL = "<img src=x onerror=\"document.title='broken'\">"
CARD = {
    "model_identification": {"name": EVIL, "model_type": "Embedding Space"},
    "data_summary": {"total_rows": 300, "total_features": 3},
    "columns": [
        {"name": name, "detected_type": "scalar", "null_rate": 0.1, "predictability_pct": 40}
        for name in ("age", "visits", EVIL)
    ],
    "warnings": [{"message": "only 300 rows", "severity": "HIGH"}],
    "decisions": {"clusters": "k = 5 has the lowest Davies-Bouldin index"},
}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    model = ModelServer()
    model.offers_importance = True
    model.add("p1", name="churn")
    model.card = CARD
    rows = [{"epoch_idx": i, "loss": 1 / (i + 1), "validation_loss": 1 / (i + 2)} for i in range(9)]
    final = {"accuracy": 0.91, "roc_auc": 0.95, "f1": 0.74, "confusion_matrix": [[70, 5], [5, 20]]}
    told = {"target_column": "churned", "training_info": rows, "final_metrics": final}
    model.metrics = {"training_metrics": told}
    server = ScriptedServer(model)
    yield server
    server.close()


def test_magics_and_displays(
    server: ScriptedServer, lab: Lab, open_notebook: Callable[..., Notebook]
) -> None:
    cells = [
        f"%load_ext featrix\n%featrix connect {server.url}\nfm = %featrix wait m-1",
        "churn = fm.list_predictors()[0]\nchurn",
        "%%featrix predict churn --importance --as answer\n{'age': 70, 'plan': 'basic', 'x': 1}",
        "%featrix card fm",
        "grid = churn.predict_grid(2, (9, 3))\n"
        "grid.fill({}, {'age': range(18, 99, 9), 'plan': ['gold', 'basic', None]})\ngrid",
    ]
    opened = open_notebook(lab.write("magics.ipynb", *cells))
    for place in range(len(cells)):
        opened.run(place)
    assert "always saying the most frequent class" in opened.cell(1).inner_text()
    assert opened.python("answer.predicted_class") == "yes"
    assert "importance of columns" in opened.cell(2).inner_text()
    card = opened.cell(3)
    columns = card.locator('details:has(> summary:text-is("Columns"))')
    assert not columns.get_by_role("table").is_visible()
    columns.locator("summary").click()
    columns.get_by_role("table").wait_for()
    assert EVIL in columns.inner_text()
    for theme in ("Light", "Dark"):
        opened.theme(theme)
        opened.cell(1)
        opened.screenshot(f"displays-{theme.lower()}")
    assert opened.page.title() != "broken"
    assert opened.complaints == []
