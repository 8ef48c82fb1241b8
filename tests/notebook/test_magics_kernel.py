"""``%featrix`` in a real kernel: interrupted by the stop button, completed as a page asks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.client.predicting import ModelServer
from tests.client.scripted import Answer, Request, ScriptedServer

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120
Serve = Callable[["Slow"], ScriptedServer]


class Slow(ModelServer):
    """Says when it is asked what takes long, and does not answer before it is let."""

    def __init__(self, route: str) -> None:
        super().__init__()
        self.route = route
        self.asked, self.let = threading.Event(), threading.Event()

    def __call__(self, request: Request) -> Answer:
        if urlsplit(request.path).path.endswith(self.route) and not self.let.is_set():
            self.asked.set()
            self.let.wait(PATIENCE)
        return super().__call__(request)

    def get(self, route: str, query: str) -> Answer:
        return Answer({"status": "ok"}) if route == "health" else super().get(route, query)


class Kernel:
    """A kernel with the extension loaded."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client

    def run(self, code: str) -> dict[str, Any]:
        """Run a cell and return how it ended."""
        return self.reply(self.client.execute(code))

    def reply(self, message: str) -> dict[str, Any]:
        while True:
            reply = self.client.get_shell_msg(timeout=PATIENCE)
            if reply["parent_header"].get("msg_id") == message:
                content: dict[str, Any] = reply["content"]
                return content

    def interrupted(self, code: str, model: Slow) -> dict[str, Any]:
        """Run a cell, interrupt it once it waits for the server, and return how it ended."""
        message = self.client.execute(code)
        assert model.asked.wait(PATIENCE)
        self.manager.interrupt_kernel()
        reply = self.reply(message)
        model.let.set()
        return reply

    def value(self, expression: str) -> str:
        """What an expression is in the kernel, as text."""
        message = self.client.execute("", user_expressions={"asked": expression})
        told: str = self.reply(message)["user_expressions"]["asked"]["data"]["text/plain"]
        return told


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("kernel")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("FEATRIX_", "JUPYTER"))}
    env |= {"PYTHONPATH": str(ROOT), "HOME": str(folder), "IPYTHONDIR": str(folder)}
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=env, cwd=str(folder))
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=PATIENCE)
    running = Kernel(manager, client)
    assert running.run("%load_ext featrix")["status"] == "ok"
    yield running
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers, which end with the test."""
    running: list[ScriptedServer] = []

    def start(model: Slow) -> ScriptedServer:
        running.append(ScriptedServer(model))
        return running[-1]

    yield start
    for server in running:
        server.close()


def test_a_wait_is_interrupted_and_goes_on(kernel: Kernel, serve: Serve) -> None:
    model = Slow("/events")
    model.fm_status = "running"
    server = serve(model)
    assert kernel.run(f"%featrix connect {server.url}")["status"] == "ok"
    reply = kernel.interrupted("%featrix wait m-1", model)
    assert reply["ename"] == "KeyboardInterrupt"
    assert "goes on by itself" in reply["evalue"]
    model.fm_status = "done"
    assert kernel.run("fm = %featrix wait m-1")["status"] == "ok"
    assert kernel.value("fm.status") == "'done'"


def test_a_batch_is_interrupted_and_asked_again(kernel: Kernel, serve: Serve) -> None:
    model = Slow("/predict_table")
    model.add("p1", name="churn")
    server = serve(model)
    kernel.run(f"%featrix connect {server.url}\nrows = [{{'age': a}} for a in range(50)]")
    kernel.run("fm = %featrix wait m-1")
    reply = kernel.interrupted("%featrix predict churn rows --as answers", model)
    assert reply["ename"] == "KeyboardInterrupt"
    assert "0 of 50 rows were answered" in reply["evalue"]
    assert kernel.run("%%featrix\n# again\npredict churn rows --as answers")["status"] == "ok"
    assert kernel.value("len(answers)") == "50"


def test_an_upload_is_interrupted_and_sent_again(kernel: Kernel, serve: Serve) -> None:
    model = Slow("/upload_with_new_session/")
    model.create = lambda body: Answer({"session_id": "m-1"})  # type: ignore[method-assign]  # a model, no predictor
    server = serve(model)
    kernel.run(f"%featrix connect {server.url}\nimport pandas as pd")
    kernel.run("del fm\ntable = pd.DataFrame({'age': range(100), 'visits': range(100)})")
    reply = kernel.interrupted("%featrix train table", model)
    assert reply["ename"] == "KeyboardInterrupt"
    assert "may have begun" in reply["evalue"]
    assert kernel.value("'fm' in globals()") == "False"
    assert kernel.run("%featrix train table")["status"] == "ok"
    assert kernel.value("fm.id") == "'m-1'"


def test_a_page_is_offered_what_may_follow(kernel: Kernel) -> None:
    kernel.run("people = [{'age': 3}]")
    for code, offered in (("%featrix predict peo", "people"), ("%%featrix\nsta", "status")):
        content = kernel.reply(kernel.client.complete(code, len(code)))
        assert offered in content["matches"]
        start = content["cursor_start"]
        assert offered.startswith(code[start:])
