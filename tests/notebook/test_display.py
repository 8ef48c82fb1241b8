"""What client objects look like in a notebook."""

from __future__ import annotations

import base64
import io
import time
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image

from featrix_client import FeatrixSphere, FoundationalModel
from featrix_client.transport import Address, Transport
from featrix_notebook import display
from featrix_notebook.display import pieces


class Checked(HTMLParser):
    """Reads HTML and fails on tags that are not closed in order."""

    VOID = frozenset({"img", "polyline"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_a_trained_model_shows_status_curve_columns_and_sphere(trained: FoundationalModel) -> None:
    html = display.model_html(trained)
    found = Checked(html)
    assert "animals" in html
    assert "done" in html
    for column in trained.columns or []:
        assert column in html
    (figure,) = [attrs for tag, attrs in found.tags if tag == "svg"]
    assert "loss went from" in (figure["aria-label"] or "")
    (image,) = [attrs for tag, attrs in found.tags if tag == "img"]
    assert image["alt"]
    png = base64.b64decode((image["src"] or "").removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(png)) as picture:
        assert max(picture.size) <= pieces.PREVIEW_PX
        assert picture.convert("RGBA").getchannel("A").getpixel((0, 0)) == 0  # for any theme


def test_loading_the_extension_registers_the_displays(
    shell: InteractiveShell, trained: FoundationalModel, featrix: FeatrixSphere
) -> None:
    shell.run_line_magic("load_ext", "featrix")
    for value, says in ((trained, "<svg"), (featrix, featrix.url)):
        data, _ = shell.display_formatter.format(value)
        assert says in data["text/html"]
        assert data["text/plain"] == repr(value)
    shell.run_line_magic("unload_ext", "featrix")
    data, _ = shell.display_formatter.format(trained)
    assert "text/html" not in data


def test_a_training_model_shows_its_present_state(
    featrix: FeatrixSphere, animals: pd.DataFrame
) -> None:
    fm = featrix.create_foundational_model(df=animals, epochs=1)
    Checked(display.model_html(fm))
    featrix.foundational_model(fm.id).wait_for_training(poll_interval=1, show_progress=False)
    assert "done" in display.model_html(fm)  # the object itself was never refreshed by the user


def test_text_from_data_is_escaped(featrix: FeatrixSphere, animals: pd.DataFrame) -> None:
    evil = "<img src=x onerror=alert(1)>"
    table = animals.rename(columns={"sex": evil})
    fm = featrix.create_foundational_model(name=evil, df=table, epochs=1)
    fm.wait_for_training(poll_interval=1, show_progress=False)
    html = display.model_html(fm)
    Checked(html)
    assert evil not in html
    assert html.count("&lt;img src=x") >= 2


def test_many_columns_are_counted_not_listed(trained: FoundationalModel) -> None:
    html = pieces.chips([f"column {i}" for i in range(5000)])
    assert html.count("column ") == pieces.SHOWN_COLUMNS
    assert "4984 more" in html


def test_a_server_that_is_gone_is_not_started_for_a_display(
    trained: FoundationalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start() -> Address:
        raise AssertionError("a display started a server")

    gone = Transport(Address("http://127.0.0.1:9", "fx_local_x"), relocate=start)
    lost = FoundationalModel(gone, "lost")
    client = FeatrixSphere.__new__(FeatrixSphere)
    client._transport = gone
    Checked(display.model_html(lost))
    assert "does not answer" in display.sphere_html(client)


def test_a_silent_server_does_not_hold_the_cell_up() -> None:
    began = time.monotonic()
    assert display.fetch(lambda: time.sleep(30), lambda: 1, patience=0.3) == [None, 1]
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "data",
    [{}, {"train_loss": [1.0]}, {"train_loss": None}, {"val_loss": [None, float("nan"), "x"]}],
)
def test_no_curve_without_two_epochs(data: dict[str, object]) -> None:
    assert pieces.loss_sparkline(data) == ""


def test_the_sphere_is_no_part_of_the_curve() -> None:
    phases = ["space", "space", "sphere"]
    svg = pieces.loss_sparkline({"val_loss": [3.0, 2.0, 2.0], "phase": phases})
    assert "from 3 to 2 over 2 epochs" in svg


def test_a_flat_curve_and_gaps_are_drawn() -> None:
    svg = pieces.loss_sparkline({"train_loss": [1.0, None, 1.0], "val_loss": [1.0, 1.0, None]})
    assert "nan" not in svg.lower()
    Checked(svg)
