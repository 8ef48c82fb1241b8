"""The base of the widgets: keywords, cheap repr, outputs that outlive the kernel, closing."""

from __future__ import annotations

import base64
import gc
import io
import weakref

import pytest
import traitlets
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image

from featrix_notebook.widgets import base
from tests.waiting import wait_until

_drawn = io.BytesIO()
Image.new("RGB", (2, 2)).save(_drawn, "PNG")
PNG = _drawn.getvalue()


class Plain(base.FeatrixWidget):
    _bundle = "plain"
    height = traitlets.Int(3).tag(sync=True)
    _bytes: bytes | None = PNG

    def summary(self) -> str:
        return f"Plain of height {self.height}\nand a second line"

    def snapshot_png(self) -> bytes | None:
        return self._bytes


@pytest.fixture(autouse=True)
def plain_bundle(tmp_path, monkeypatch):
    monkeypatch.setattr(base, "STATIC", tmp_path)
    base.bundle.cache_clear()
    for name in ("plain", "page"):
        (tmp_path / f"{name}.js").write_text("export default {}")
    yield tmp_path
    base.bundle.cache_clear()


@pytest.fixture
def published(monkeypatch):
    shell = InteractiveShell()
    monkeypatch.setattr(InteractiveShell, "_instance", shell)
    publisher = CapturingDisplayPublisher()
    monkeypatch.setattr(shell, "display_pub", publisher)
    return publisher.outputs


def test_the_bundle_is_read_once(plain_bundle) -> None:
    assert Plain()._esm == "export default {}"
    (plain_bundle / "plain.js").unlink()
    assert Plain()._esm == "export default {}"


def test_a_missing_bundle_says_how_to_build_it() -> None:
    with pytest.raises(FileNotFoundError, match=r"js/hatch_build\.py"):
        base.bundle("nothing")


def test_unknown_keywords_are_refused_with_a_guess() -> None:
    with pytest.raises(
        TypeError, match=r"Plain takes no argument 'heigth'\. Did you mean 'height'"
    ):
        Plain(heigth=4)
    with pytest.raises(TypeError, match=r"no argument 'zzz'\.$"):
        Plain(zzz=4)
    assert Plain(height=4).height == 4


def test_repr_and_mime_bundle() -> None:
    widget = Plain()
    assert repr(widget) == "Plain of height 3"
    data, _ = widget._repr_mimebundle_()
    assert data["text/plain"].endswith("a second line")
    assert base64.b64decode(data["image/png"]) == PNG
    assert data[base.VIEW_MIME]["model_id"] == widget.model_id
    widget._bytes = None
    assert "image/png" not in widget.mime_bundle()
    assert set(widget.mime_bundle(view=False)) == {"text/plain"}


def test_two_widgets_are_told_apart() -> None:
    assert Plain()._uid != Plain()._uid


def test_closing_twice_is_harmless_and_frees_the_widget() -> None:
    widget = Plain()
    widget.close()
    widget.close()
    assert base.VIEW_MIME not in widget.mime_bundle()
    gone = weakref.ref(widget)
    del widget
    gc.collect()
    assert gone() is None


def test_displayed_outputs_are_brought_up_to_date(published) -> None:
    widget = Plain()
    widget.refresh_outputs()
    assert published == []
    widget._ipython_display_()
    widget.height = 5
    widget.refresh_outputs()
    first, second = published
    assert not first.get("update")
    assert second["update"]
    assert first["transient"] == second["transient"]
    assert second["data"]["text/plain"].startswith("Plain of height 5")


def test_where_views_are_kept_the_widget_comes_before_its_picture(published, monkeypatch) -> None:
    monkeypatch.setattr(base, "keeps_views", lambda: True)
    widget = Plain()
    widget._ipython_display_()
    first, second = published
    assert set(first["data"]) == {"text/plain", base.VIEW_MIME, base.OWN_MIME}
    assert second["update"]
    assert first["transient"] == second["transient"]
    assert set(second["data"]) == set(widget.mime_bundle())
    assert first["data"].items() <= second["data"].items()


def test_outputs_are_not_drawn_anew_under_a_readers_hand(published) -> None:
    widget = Plain()
    widget._ipython_display_()
    widget._in_use = True
    widget.height = 5
    widget.refresh_outputs()
    widget.refresh_outputs()
    assert len(published) == 1
    widget._in_use = False
    wait_until(lambda: len(published) == 2, "the output is drawn anew")
    _, update = published
    assert update["update"]
    assert update["data"]["text/plain"].startswith("Plain of height 5")
