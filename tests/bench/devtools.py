"""Chromium over a bare DevTools connection, for timing.

Playwright turns on the Network domain, with which a binary message of 16 MB costs the page half a
second instead of a twentieth. Here only what is asked for is turned on.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import websocket

from tests.browser.conftest import Lab
from tests.browser.sphere_page import CHROMIUM_FLAGS
from tests.waiting import wait_until

AS_JSON = """(async () => {
  const value = await (%s)(%s);
  try { return JSON.stringify(value); } catch { return undefined; }
})()"""


class BarePage:
    """A page with as much of Playwright's interface as `Notebook` needs."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, suppress_origin=True, timeout=600)
        self._number = 0

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a DevTools method and return its result."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") != self._number:
                continue  # an event
            if "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']}")
            result: dict[str, Any] = answer["result"]
            return result

    def evaluate(self, function: str, argument: Any = None) -> Any:
        """What a function of the page returns or promises, as JSON; None for what is none."""
        call = AS_JSON % (function, json.dumps(argument))
        answer = self.send(
            "Runtime.evaluate", expression=call, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description"))
        value = answer["result"].get("value")
        return None if value is None else json.loads(value)

    def wait_for_function(self, function: str, timeout: float = 60_000) -> None:
        holds = f"() => !!({function})()"
        wait_until(lambda: self.evaluate(holds), function, timeout / 1000, every=0.05)

    def wait_for_selector(self, selector: str) -> None:
        self.wait_for_function(f"() => document.querySelector({json.dumps(selector)}) !== null")

    def goto(self, url: str) -> None:
        self.send("Page.navigate", url=url)
        self.wait_for_function("() => location.href !== 'about:blank'")

    def mouse(self, kind: str, x: float, y: float, held: bool = False) -> None:
        """``mouseMoved``, ``mousePressed`` or ``mouseReleased``."""
        self.send(
            "Input.dispatchMouseEvent",
            type=kind, x=x, y=y, clickCount=int(kind != "mouseMoved"),
            button="left" if held else "none", buttons=int(held and kind != "mouseReleased"),
        )  # fmt: skip

    def key(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key)


@contextmanager
def bare_page(lab: Lab, script: str, width: int = 1280, height: int = 1000) -> Iterator[BarePage]:
    """A page in a Chromium of its own; ``script`` runs before those of every document."""
    path = shutil.which("chromium")
    assert path is not None, "This needs Chromium: apt-get install chromium"
    profile = lab.folder / "profile"
    command = [path, "--headless", *CHROMIUM_FLAGS, "--remote-debugging-port=0"]
    command += [f"--user-data-dir={profile}", "about:blank"]
    with (lab.folder / "chromium.log").open("wb") as log:
        chromium = subprocess.Popen(command, env=lab.env, stdout=log, stderr=log)
    try:
        told = profile / "DevToolsActivePort"
        wait_until(lambda: told.exists() and "\n" in told.read_text(), "Chromium answers")
        page = BarePage(_address(told))
        page.send("Page.enable")
        page.send("Emulation.setFocusEmulationEnabled", enabled=True)
        page.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        page.send("Page.addScriptToEvaluateOnNewDocument", source=script)
        yield page
    finally:
        chromium.terminate()
        chromium.wait(30)
        time.sleep(0.2)


def _address(told: Path) -> str:
    port = told.read_text().split("\n", 1)[0]
    pages = requests.get(f"http://127.0.0.1:{port}/json/list", timeout=10).json()
    (address,) = (p["webSocketDebuggerUrl"] for p in pages if p["type"] == "page")
    return str(address)
