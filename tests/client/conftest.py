"""A clean environment for every test, one real embedded server for all, and scripted ones."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from featrix_client import FeatrixSphere, FoundationalModel, Predictor
from featrix_client.local import ensure_server
from tests.client.predicting import ModelServer
from tests.client.scripted import Script, ScriptedServer


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the settings of whoever runs the tests, and give each test a home folder of its own."""
    for name in [name for name in os.environ if name.startswith("FEATRIX_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("FEATRIX_KEY_FILE", str(home / "no-key"))


# ------------------------------------------------------------- the embedded server


def end_server(home: Path) -> None:
    """End the server of a data folder, if one runs; its workers must go with it."""
    try:
        pid = json.loads((home / "server.json").read_text())["pid"]
        server = psutil.Process(pid)
        family = [server, *server.children(recursive=True)]
        server.terminate()
    except (FileNotFoundError, psutil.NoSuchProcess):
        return
    _, left = psutil.wait_procs(family, timeout=20)
    for process in left:
        process.kill()
    assert not left, f"these processes of the server had to be killed: {left}"


@pytest.fixture(scope="session")
def server_home(tmp_path_factory: pytest.TempPathFactory, compile_cache: Path) -> Iterator[Path]:
    """Data folder of the one embedded server of the test session, which is running."""
    home = tmp_path_factory.mktemp("featrix")
    (home / "compile-cache").symlink_to(compile_cache)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("FEATRIX_")]:
            patch.delenv(name)
        patch.setenv("FEATRIX_HOME", str(home))
        ensure_server()
    yield home
    end_server(home)


@pytest.fixture
def featrix(server_home: Path, monkeypatch: pytest.MonkeyPatch) -> FeatrixSphere:
    """A connection to the embedded server."""
    monkeypatch.setenv("FEATRIX_HOME", str(server_home))
    return FeatrixSphere()


@pytest.fixture(scope="session")
def parent(server_home, people) -> FoundationalModel:
    """A trained model whose table also holds a constant column and one too rare class."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEATRIX_HOME", str(server_home))
        sphere = FeatrixSphere("local")
    df = people(300)
    df["group"] = np.where(df["spend"] > 60, "high", np.where(df.index % 3 == 0, "low", "mid"))
    df["lonely"] = ["one"] + ["many"] * 299
    df["same"], df["seven"] = "x", 7
    fm = sphere.create_foundational_model(name="parents", df=df, epochs=2)
    return fm.wait_for_training(max_wait_time=280, show_progress=False)


@pytest.fixture(scope="session")
def classifier(parent) -> Predictor:
    """A binary classifier of ten epochs."""
    predictor = parent.create_binary_classifier(
        "plan", name="plans", rare_label_value="gold", epochs=10, cost_false_negative=3
    )
    assert (predictor.status, predictor.accuracy) == ("training", None)
    return predictor.wait_for_training(max_wait_time=250, show_progress=False)


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty data folder for a test that starts a server of its own; it is ended after it."""
    home = tmp_path / "data"
    monkeypatch.setenv("FEATRIX_HOME", str(home))
    yield home
    end_server(home)


@pytest.fixture(scope="session")
def people() -> Callable[..., pd.DataFrame]:
    """Make small tables with structure in them, and some holes."""
    return _people


def _people(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, n).astype(float)
    plan = np.where(age + rng.normal(0, 8, n) > 45, "gold", "basic")
    spend = np.where(plan == "gold", 80.0, 20.0) + rng.normal(0, 5, n)
    age[rng.random(n) < 0.05] = np.nan
    return pd.DataFrame({"age": age, "plan": plan, "spend": spend.round(2)})


@pytest.fixture
def serve() -> Iterator[Callable[[Script], ScriptedServer]]:
    """Start scripted servers, which end with the test."""
    servers: list[ScriptedServer] = []

    def start(script: Script) -> ScriptedServer:
        servers.append(ScriptedServer(script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def model(serve: Callable[[Script], ScriptedServer]) -> ModelServer:
    """A server with a trained model and no predictors; `.featrix` is a connection to it."""
    model = ModelServer()
    model.featrix = FeatrixSphere(serve(model).url)
    return model


@pytest.fixture
def fm(model: ModelServer) -> FoundationalModel:
    """The model of that server."""
    return model.featrix.foundational_model("m-1")


@pytest.fixture
def predictor(model: ModelServer) -> Predictor:
    """A trained predictor of that server."""
    model.add("p1")
    return model.featrix.predictor("p1", "m-1")
