"""The widgets in other hosts than JupyterLab, each opened in a real browser: Voila and marimo."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import indent

import requests
from playwright.sync_api import Browser, Page

from tests.browser.conftest import SCREENS, Lab
from tests.browser.four_widgets import MAKE, WIDGETS
from tests.waiting import wait_until

PATIENCE = 60_000
APP = """import marimo

app = marimo.App()

with app.setup:
{make}
{cells}
"""
CELL = """
@app.cell
def _():
    {show}
"""


def check_widgets(page: Page, url: str, host: str) -> None:
    """All four are there and alive: a new colour is asked of Python and comes back."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(error.stack or str(error)))
    page.goto(url, timeout=PATIENCE)
    for _, stage in WIDGETS.values():
        page.locator(stage).first.wait_for(timeout=PATIENCE)
    page.get_by_label("Colour by", exact=True).first.select_option(label="number")
    page.locator(".ftx-sphere-strip").first.wait_for(timeout=PATIENCE)
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / f"host-{host}.png")
    assert page.locator(".ftx-error:visible").count() == 0
    assert not [error for error in errors if "ftx" in error]


def test_voila(lab: Lab, chromium: Browser) -> None:
    path = lab.write("voila.ipynb", MAKE, *(show for show, _ in WIDGETS.values()))
    page = chromium.new_page(viewport={"width": 1200, "height": 1000})
    # Voila comes as an extension of the server that runs JupyterLab.
    check_widgets(page, f"{lab.url}/voila/render/{path}?token={lab.token}", "voila")
    page.close()
    for running in lab.api("GET", "kernels").json():
        lab.api("DELETE", f"kernels/{running['id']}")


@contextmanager
def serving(lab: Lab, app: Path) -> Iterator[str]:
    """A marimo app on loopback, ended by its process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "marimo", "run", str(app), "--headless", "--no-token"]
    command += ["--host=127.0.0.1", f"--port={port}"]
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return requests.get(f"{url}/health", timeout=5).ok
        except requests.ConnectionError:
            return False

    with (app.parent / "marimo.log").open("wb") as log:
        server = subprocess.Popen(command, env=lab.env, stdout=log, stderr=log, cwd=app.parent)
    try:
        wait_until(answers, "marimo answers")
        yield url
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def test_marimo(lab: Lab, chromium: Browser, tmp_path: Path) -> None:
    cells = "\n".join(CELL.format(show=show) for show, _ in WIDGETS.values())
    app = tmp_path / "app.py"
    app.write_text(APP.format(make=indent(MAKE, "    "), cells=cells))
    page = chromium.new_page(viewport={"width": 1200, "height": 1000})
    outside: list[str] = []
    with serving(lab, app) as url:
        here = (url, url.replace("http", "ws"), "data:", "blob:")
        page.on("request", lambda r: None if r.url.startswith(here) else outside.append(r.url))
        check_widgets(page, url, "marimo")
        page.close()
    assert outside == []
