"""A real JupyterLab on loopback, driven in Debian's Chromium.

Everything the two write goes into a temporary folder: Jupyter's own files, the home folder and
``FEATRIX_HOME``, so the embedded server is a fresh one, too. When the tests are over every process
that carries this folder in its environment must be gone, or the run fails.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import psutil
import pytest
import requests
from jupyter_client.blocking.client import BlockingKernelClient
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Playwright, sync_playwright

from tests.browser.sphere_page import Open, complaints_of, launched, opener
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
SCREENS = ROOT / "build" / "screens"
NO_NEWS = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}


def pixels(of: Locator | Page) -> np.ndarray:
    """A screenshot as an int16 array (height, width, 3)."""
    with Image.open(io.BytesIO(of.screenshot())) as image:
        return np.asarray(image.convert("RGB"), dtype=np.int16)


@dataclass(frozen=True)
class Lab:
    """The running JupyterLab: its address, its token and the folders it works in."""

    url: str
    token: str
    folder: Path
    env: dict[str, str]

    @property
    def notebooks(self) -> Path:
        return self.folder / "notebooks"

    def write(self, name: str, *cells: str) -> str:
        """Put a notebook of these code cells where JupyterLab finds it, and return its name."""
        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        code = [new_code_cell(source) for source in cells]
        notebook = new_notebook(cells=code, metadata={"kernelspec": spec})
        nbformat.write(notebook, self.notebooks / name)
        return name

    def api(self, method: str, path: str) -> requests.Response:
        headers = {"Authorization": f"token {self.token}"}
        return requests.request(method, f"{self.url}/api/{path}", headers=headers, timeout=10)

    def left_behind(self) -> list[psutil.Process]:
        """Every process that has this laboratory's folder in its environment."""
        mine = self.env["FEATRIX_HOME"]
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("FEATRIX_HOME") == mine:
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        return [p for p in found if p.pid != os.getpid()]


def _environment(folder: Path) -> dict[str, str]:
    # The extension of this tree, also when another one is installed.
    extension = folder / "data" / "labextensions" / "featrix-notebook"
    own = {
        "HOME": folder / "home",
        "FEATRIX_HOME": folder / "featrix",
        "IPYTHONDIR": folder / "ipython",
        "JUPYTER_CONFIG_DIR": folder / "config",
        "JUPYTER_DATA_DIR": folder / "data",
        "JUPYTER_RUNTIME_DIR": folder / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": folder / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces",
        "notebooks": folder / "notebooks",
    }
    for path in own.values():
        path.mkdir(parents=True)
    extension.parent.mkdir()
    extension.symlink_to(ROOT / "featrix_notebook" / "labextension")
    del own["notebooks"]
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("FEATRIX_", "JUPYTER"))}
    return {**inherited, **{k: str(v) for k, v in own.items()}, "PYTHONPATH": str(ROOT)}


@contextmanager
def laboratory(folder: Path) -> Iterator[Lab]:
    """JupyterLab, serving an empty folder of notebooks inside `folder`."""
    env = _environment(folder)
    # Only the file form of this setting is honoured; it lets a test run JupyterLab's commands.
    config = {"LabApp": {"expose_app_in_browser": True}}
    (folder / "config" / "jupyter_lab_config.json").write_text(json.dumps(config))
    news = folder / "settings" / "@jupyterlab" / "apputils-extension"
    news.mkdir(parents=True)
    (news / "notification.jupyterlab-settings").write_text(json.dumps(NO_NEWS))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--ip=127.0.0.1", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    command += [f"--ServerApp.root_dir={folder / 'notebooks'}"]
    laboratory = Lab(f"http://127.0.0.1:{port}", token, folder, env)
    with (folder / "lab.log").open("wb") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=folder)
    try:
        wait_until(lambda: _answers(laboratory, server), "JupyterLab answers", 60)
        yield laboratory
    finally:
        _stop_featrix(laboratory)
        server.send_signal(signal.SIGTERM)
        server.wait(30)
    _fail_if_any(laboratory)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, compile_cache: Path) -> Iterator[Lab]:
    with laboratory(tmp_path_factory.mktemp("lab")) as running:
        (Path(running.env["FEATRIX_HOME"]) / "compile-cache").symlink_to(compile_cache)
        yield running


def _answers(lab: Lab, server: subprocess.Popen[bytes]) -> bool:
    if server.poll() is not None:
        pytest.fail("JupyterLab ended:\n" + (lab.folder / "lab.log").read_text()[-3000:])
    try:
        return lab.api("GET", "status").ok
    except requests.ConnectionError:
        return False


def _stop_featrix(lab: Lab) -> None:
    """End the embedded server, which outlives its notebooks on purpose."""
    command = [sys.executable, "-m", "featrix_server", "stop"]
    subprocess.run(command, env=lab.env, cwd=ROOT, check=False, timeout=60)


def _fail_if_any(lab: Lab) -> None:
    deadline = time.monotonic() + 15
    while (left := lab.left_behind()) and time.monotonic() < deadline:
        time.sleep(0.2)
    told = [f"{p.pid}: {' '.join(p.cmdline())[:160]}" for p in left if p.is_running()]
    for process in left:
        process.kill()
    assert not told, "processes left behind:\n" + "\n".join(told)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def chromium(playwright: Playwright, lab: Lab) -> Iterator[Browser]:
    """The browser of the laboratory: its environment marks its processes as such."""
    with launched(playwright, lab.env) as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """A browser for pages that need no Jupyter."""
    with launched(playwright) as running:
        yield running


@pytest.fixture
def open_sphere(browser: Browser) -> Iterator[Open]:
    """Open a widget on a page of its own, answered by Python; see `opener`."""
    with opener(browser) as open_:
        yield open_


@dataclass
class Notebook:
    """One notebook open in JupyterLab."""

    page: Page
    lab: Lab
    path: str
    complaints: list[str] = field(default_factory=list)

    def command(self, name: str, **args: Any) -> None:
        """Run one of JupyterLab's commands, as its menu would."""
        self.page.evaluate("([n, a]) => window.jupyterapp.commands.execute(n, a)", [name, args])

    @property
    def _panel(self) -> str:
        return "window.jupyterapp.shell.currentWidget"

    def open(self, *, kernel: bool = True) -> None:
        self.page.goto(f"{self.lab.url}/lab?token={self.lab.token}&reset")
        self.page.wait_for_function("() => window.jupyterapp?.restored", timeout=60_000)
        self.page.evaluate("() => window.jupyterapp.restored")
        # What "Open With > Notebook (no kernel)" does.
        none = {"kernelPreference": {"shouldStart": False, "shouldReuse": False}}
        self.command("docmanager:open", path=self.path, **({} if kernel else none))
        is_open = f"{self._panel}?.context?.isReady"
        is_idle = f"{self._panel}?.sessionContext?.session?.kernel?.status === 'idle'"
        self.page.wait_for_function(f"() => {is_idle if kernel else is_open}", timeout=60_000)
        # The left panel takes a fifth of the window.
        self.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")

    def cells(self) -> list[dict[str, Any]]:
        """Type and source of each cell."""
        cells: list[dict[str, Any]] = self.page.evaluate(
            f"() => {self._panel}.content.widgets.map(c => "
            "({type: c.model.type, source: c.model.sharedModel.getSource()}))"
        )
        return cells

    def index(self, text: str) -> int:
        """The place of the first code cell that holds `text`."""
        for place, cell in enumerate(self.cells()):
            if cell["type"] == "code" and text in cell["source"]:
                return place
        raise AssertionError(f"no cell of {self.path} holds {text!r}")

    def start(self, place: int) -> None:
        """Run one cell without waiting for it."""
        self.page.evaluate(
            f"i => {{ const c = {self._panel}.content; c.activeCellIndex = i; c.scrollToItem(i) }}",
            place,
        )
        self.page.evaluate("() => { void window.jupyterapp.commands.execute('notebook:run-cell') }")

    def run(self, place: int, seconds: float = 120) -> None:
        """Run one cell and wait for its end; an exception in it fails the test."""
        self.start(place)
        model = f"{self._panel}.content.widgets[{place}].model"
        self.page.wait_for_function(
            f"() => {model}.executionState === 'idle' && {model}.executionCount !== null",
            timeout=seconds * 1000,
        )
        errors = self.page.evaluate(
            f"() => {model}.outputs.toJSON().filter(o => o.output_type === 'error')"
        )
        assert not errors, errors[0]["ename"] + ": " + errors[0]["evalue"]

    def cell(self, place: int) -> Locator:
        """The cell on the page, scrolled to; JupyterLab takes far ones out of the page."""
        self.page.evaluate(f"i => {self._panel}.content.scrollToItem(i, 'start')", place)
        found = self.page.locator(f".jp-Cell[data-windowed-list-index='{place}']")
        found.wait_for(state="visible")
        return found

    def becomes(self, expression: str, value: Any) -> None:
        """Wait until an expression in the notebook's kernel has this value."""
        wait_until(lambda: self.python(expression) == value, f"{expression} becomes {value!r}")

    def python(self, expression: str) -> Any:
        """The value of an expression in the notebook's kernel, as JSON."""
        sessions = self.lab.api("GET", "sessions").json()
        (kernel,) = [s["kernel"]["id"] for s in sessions if s["path"] == self.path]
        file = self.lab.folder / "runtime" / f"kernel-{kernel}.json"
        client = BlockingKernelClient(connection_file=str(file))
        client.load_connection_file()
        client.start_channels()
        try:
            code = f"__import__('json').dumps({expression})"
            reply = client.execute_interactive(
                "",
                silent=True,
                store_history=False,
                user_expressions={"value": code},
                output_hook=lambda message: None,
                timeout=60,
            )
        finally:
            client.stop_channels()
        value = reply["content"]["user_expressions"]["value"]
        assert value["status"] == "ok", f"{expression}: {value.get('evalue')}"
        text: str = value["data"]["text/plain"]
        return json.loads(eval(text))

    def theme(self, name: str) -> None:
        """``"Light"`` or ``"Dark"``; when it returns, nothing lies over the page any more."""
        self.command("apputils:change-theme", theme=f"JupyterLab {name}")
        light = str(name == "Light").lower()
        self.page.wait_for_selector(f"body[data-jp-theme-light='{light}']", state="attached")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def screenshot(self, name: str, of: Locator | None = None) -> Path:
        SCREENS.mkdir(parents=True, exist_ok=True)
        path = SCREENS / f"{name}.png"
        (of or self.page).screenshot(path=path)
        return path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if report.when == "call" and report.failed:
        item.stash[_FAILED] = True
    return report


_FAILED = pytest.StashKey[bool]()


@pytest.fixture
def open_notebook(
    chromium: Browser, lab: Lab, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Notebook]]:
    """Open a notebook of `lab.notebooks` by its path; a failing test keeps a screenshot."""
    opened: list[Notebook] = []

    def open_(path: str, *, kernel: bool = True) -> Notebook:
        page = chromium.new_page(viewport={"width": 1280, "height": 1000})
        notebook = Notebook(page, lab, path, complaints_of(page))
        opened.append(notebook)
        notebook.open(kernel=kernel)
        notebook.theme("Light")  # JupyterLab remembers what an earlier test chose
        return notebook

    yield open_
    for notebook in opened:
        if request.node.stash.get(_FAILED, False):
            notebook.screenshot(f"failed-{request.node.name}")
        notebook.page.close()
    for session in lab.api("GET", "sessions").json():
        lab.api("DELETE", f"sessions/{session['id']}")
