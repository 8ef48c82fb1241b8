"""Real servers on real sockets, in threads of the test process, and one trained model."""

from __future__ import annotations

import csv
import io
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from featrix_server.app import create_app
from featrix_server.context import Context
from featrix_server.db import SessionRow
from featrix_server.jobs import queue
from featrix_server.jobs.worker import run_next
from featrix_server.settings import Settings
from tests.server.receiver import Receiver, receiving

if TYPE_CHECKING:
    from .predicting import Asked

KEY = "fx_test_key"
UPLOAD = "/compute/upload_with_new_session/"
_OF_THE_APP = ("webhook_times", "alert_pace")
"""Arguments of `create_app` beside the settings."""


def make_table(n_rows: int = 200, seed: int = 0) -> bytes:
    """Return a small CSV: a plan, an age and a price that hang together, and a note."""
    rng = random.Random(seed)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["plan", "age", "price", "note"])
    for _ in range(n_rows):
        plan = rng.choice(["basic", "plus", "pro"])
        age = rng.randint(18, 80)
        price = {"basic": 5, "plus": 10, "pro": 20}[plan] + age / 10 + rng.random()
        note = rng.choice(["new", "late payer", "very loyal", ""])
        writer.writerow([plan, age, f"{price:.2f}", note])
    return text.getvalue().encode()


@dataclass
class Server:
    """A running server and a client with its key."""

    app: FastAPI
    settings: Settings
    http: httpx.Client

    @property
    def context(self) -> Context:
        """The server's open parts."""
        context: Context = self.app.state.context
        return context

    def upload(
        self, content: bytes | None = None, filename: str = "table.csv", **fields: str
    ) -> httpx.Response:
        """Upload a table, by default the small one."""
        files = {"file": (filename, make_table() if content is None else content)}
        return self.http.post(UPLOAD, files=files, data=fields)

    def create(self, **fields: str) -> str:
        """Make a model of the small table; return its path."""
        answer = self.upload(**fields)
        assert answer.status_code == 200, answer.text
        return f"/compute/session/{answer.json()['session_id']}"

    def train(self) -> None:
        """Run one waiting job to its end."""
        assert run_next(self.settings, self.context.database)

    def assert_nothing_left(self) -> None:
        """Check that the server has no session, and not a single file of one."""
        assert self.http.get("/compute/sessions-for-org").json() == {"sessions": []}
        assert list(self.settings.sessions_dir.iterdir()) == []

    def assert_serving(self) -> None:
        """Check that the server still makes models; removes the one it made."""
        session_id = self.create().rsplit("/", 1)[-1]
        with self.context.database.write() as database:
            database.delete(database.get_one(SessionRow, session_id))
        self.context.store.remove(session_id)


@contextmanager
def running(settings: Settings, **more: Any) -> Iterator[Server]:
    """Serve on a free port until the block ends."""
    app = create_app(settings, **more)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"X-Api-Key": KEY},
            timeout=60,
            trust_env=False,
        ) as http:
            yield Server(app, settings, http)
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive(), "the server did not stop"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody whom webhooks may call."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """A function that starts a server with the given settings on a folder of its own."""
    with ExitStack() as stack:

        def make(**given: Any) -> Server:
            more = {name: given.pop(name) for name in _OF_THE_APP if name in given}
            settings = {"data_dir": tmp_path / "data", "api_key": KEY} | given
            return stack.enter_context(running(Settings(**settings), **more))

        yield make


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Server:
    """An empty server."""
    return make_server()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for tests that leave nothing behind."""
    with running(Settings(data_dir=tmp_path_factory.mktemp("shared"), api_key=KEY)) as server:
        yield server
        server.assert_nothing_left()


@dataclass
class Trained:
    """A server with one finished model."""

    server: Server
    path: str
    session_id: str

    def get(self, route: str = "", **query: Any) -> httpx.Response:
        """Ask for a part of the model."""
        return self.server.http.get(f"{self.path}{route}", params=query)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """A model of the small table, trained for two epochs. Not to be changed by tests."""
    folder = tmp_path_factory.mktemp("trained")
    with running(Settings(data_dir=folder, api_key=KEY)) as server:
        path = server.create(name="Small table", epochs="2", user_metadata='{"why": "test"}')
        server.train()
        yield Trained(server, path, path.rsplit("/", 1)[-1])


@contextmanager
def running_copy(trained: Trained, folder: Path, **given: Any) -> Iterator[Trained]:
    """Serve a copy of the trained model, for tests that add to it."""
    shutil.copytree(trained.server.settings.data_dir, folder)
    more = {name: given.pop(name) for name in _OF_THE_APP if name in given}
    with running(Settings(data_dir=folder, api_key=KEY, **given), **more) as server:
        yield Trained(server, trained.path, trained.session_id)


@contextmanager
def errands(server: Server) -> Iterator[None]:
    """Run short jobs in a thread until the block ends."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(0.02):
            if queue.has_errand(server.context.database):
                run_next(server.settings, server.context.database)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def model(trained: Trained, tmp_path: Path) -> Iterator[Trained]:
    """A trained model of its own."""
    with running_copy(trained, tmp_path / "data") as copy:
        yield copy


@pytest.fixture(scope="session")
def asked(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """Three trained predictors, which tests may ask anything."""
    from .predicting import Asked

    with running_copy(trained, tmp_path_factory.mktemp("asked") / "data") as model:
        yield Asked.train(model)
