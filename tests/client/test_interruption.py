"""Real interrupts (SIGINT) in the midst of something slow: what is left, and what is said."""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from featrix_client import FeatrixSphere
from featrix_client.local import ensure_server
from featrix_client.predictor_answers import BATCH_ROWS
from featrix_client.vector_database import create_database
from tests.client.predicting import ModelServer
from tests.client.scripted import Answer, Request


def interrupt() -> None:
    """What Ctrl-C and the stop button of a notebook do."""
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


def interrupted_at(model: ModelServer, call: int, route: str) -> Callable[[Request], Answer]:
    """A script that interrupts the client while it waits for the answer to one of its calls."""
    never, calls = threading.Event(), 0

    def script(request: Request) -> Answer:
        nonlocal calls
        calls += urlsplit(request.path).path.endswith(route)
        if calls == call:
            calls += 1
            interrupt()
            never.wait(20)
        return model(request)

    script.never = never  # type: ignore[attr-defined]  # lets the server's thread end
    return script


@contextmanager
def relay(url: str, after: float) -> Iterator[str]:
    """A door to a server that interrupts the client when so many bytes have gone through.

    It hands on nothing more then, so that what was being sent is never whole.
    """
    target = urlsplit(url)
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def pump(source: socket.socket, sink: socket.socket, limit: float) -> None:
        passed = 0
        try:
            while data := source.recv(65536):
                passed += len(data)
                if passed > limit:
                    interrupt()
                    over.wait(20)
                    break
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            end.close()

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection((target.hostname, target.port))
            for pair in ((client, server, after), (server, client, float("inf"))):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield "http://{}:{}".format(*listener.getsockname())
    finally:
        over.set()
        listener.close()


def test_an_upload_that_is_broken_off_leaves_nothing(
    featrix: FeatrixSphere, server_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.csv"
    path.write_bytes(b"a,b\n" + b"1234567,7654321\n" * 1_000_000)  # more than any buffer takes
    server = ensure_server()
    before = featrix.list_sessions(), list(server_home.rglob("*large*"))
    monkeypatch.setenv("FEATRIX_API_KEY", server.key)
    with relay(server.url, after=3_000_000) as url:
        there = FeatrixSphere(url)
        with pytest.raises(KeyboardInterrupt, match=r"large\.csv was broken off.*keeps nothing"):
            there.create_foundational_model(data_file=path)
        assert there.health_check()["status"] == "ok"  # the connection is as good as new
    assert (featrix.list_sessions(), list(server_home.rglob("*large*"))) == before


def test_an_upload_interrupted_at_its_end_says_that_it_may_have_begun(
    model: ModelServer, serve, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    script = interrupted_at(model, 1, "upload_with_new_session/")
    featrix = FeatrixSphere(serve(script).url)
    with pytest.raises(KeyboardInterrupt, match=r"may have begun.*list_sessions"):
        featrix.create_foundational_model(data_file=tmp_path / "t.csv")
    script.never.set()


def test_a_batch_says_how_far_it_came(model: ModelServer, serve) -> None:
    script = interrupted_at(model, 2, "predict_table")
    model.add("p1")
    predictor = FeatrixSphere(serve(script).url).predictor("p1", "m-1")
    rows = [{"age": i % 90} for i in range(BATCH_ROWS + 5)]
    with pytest.raises(KeyboardInterrupt, match="10,000 of 10,005 rows were answered"):
        predictor.batch_predict(rows)
    script.never.set()
    assert len(predictor.batch_predict(rows)) == BATCH_ROWS + 5


def test_a_real_batch_can_be_asked_again(
    classifier, featrix: FeatrixSphere, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"age": i % 80} for i in range(BATCH_ROWS)]
    server = ensure_server()
    monkeypatch.setenv("FEATRIX_API_KEY", server.key)
    with relay(server.url, after=len(json.dumps(rows)) / 2) as url:  # within the request
        there = FeatrixSphere(url).predictor(classifier.id, classifier.session_id)
        with pytest.raises(KeyboardInterrupt, match="0 of 10,000 rows were answered"):
            there.batch_predict(rows)
        again = there.batch_predict(rows[:80]).to_frame()
    whole = classifier.batch_predict(rows[:80]).to_frame()
    assert np.allclose(again["probability_gold"], whole["probability_gold"])


def test_a_grid_keeps_what_it_has_and_goes_on(model: ModelServer, serve) -> None:
    script = interrupted_at(model, 2, "predict_table")
    model.add("p1")
    grid = FeatrixSphere(serve(script).url).predictor("p1", "m-1").predict_grid(1, (3000,))
    with pytest.raises(KeyboardInterrupt, match=r"2,000 of 3,000 cells.*process_batch"):
        grid.fill({}, {"age": range(3000)})
    script.never.set()
    assert (int(np.isfinite(grid.values).sum()), grid.queued) == (2000, 1000)
    assert grid.process_batch() == 1000
    assert np.isfinite(grid.values).all()


def test_records_are_added_by_whole_batches(serve) -> None:
    kept: list[object] = []

    class Database(ModelServer):
        def __call__(self, request: Request) -> Answer:
            if request.path.endswith("/records"):
                kept.extend(json.loads(request.body)["records"])
                return Answer({"record_count": len(kept)})
            return Answer({"name": "d", "size": len(kept)})

    script = interrupted_at(Database(), 3, "/records")
    database = create_database(FeatrixSphere(serve(script).url)._transport, "m-1", "d")
    rows = [{"age": i} for i in range(10)]
    with pytest.raises(KeyboardInterrupt, match=r"4 of 10 records had been added.*size\(\)"):
        database.add_records(rows, batch_size=2)
    assert kept == rows[:4]
    script.never.set()


def test_publishing_goes_on_without_the_one_who_waits(serve, model: ModelServer) -> None:
    def publishing(request: Request) -> Answer:
        if request.path.endswith("/publish"):
            return Answer({"job_id": "j9", "status": "queued"})
        if "publish_job" in request.path:
            return Answer({"status": "running"})
        return model(request)

    fm = FeatrixSphere(serve(publishing).url).foundational_model("m-1")
    threading.Timer(0.3, interrupt).start()
    with pytest.raises(KeyboardInterrupt, match=r"goes on by itself; publish\(\) again"):
        fm.publish(name="v1")
