"""A real server, a real table and a trained model, shared by the tests of the notebook room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest

from featrix_client import FeatrixSphere, FoundationalModel, Predictor
from tests.client.predicting import ModelServer
from tests.client.scripted import ScriptedServer
from tests.conftest import embedded

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def featrix_home(tmp_path_factory: pytest.TempPathFactory, compile_cache: Path) -> Iterator[Path]:
    """The data folder of this session's embedded server, which is stopped in the end."""
    home = tmp_path_factory.mktemp("featrix")
    with embedded(home, tmp_path_factory.mktemp("home"), compile_cache):
        yield home


@pytest.fixture(scope="session")
def featrix(featrix_home: Path) -> FeatrixSphere:
    return FeatrixSphere()


@pytest.fixture(scope="session")
def animals() -> pd.DataFrame:
    """Three hundred real animals, with the gaps real tables have."""
    surveys = pd.read_csv(ROOT / "examples" / "data" / "portal_surveys.csv.gz")
    wanted = ["species_id", "sex", "hindfoot_length", "weight", "month"]
    return surveys[wanted].sample(300, random_state=1).reset_index(drop=True)


@pytest.fixture(scope="session")
def trained(featrix: FeatrixSphere, animals: pd.DataFrame) -> FoundationalModel:
    """A model of `animals` that never saw the species, after three epochs."""
    fm = featrix.create_foundational_model(
        name="animals", df=animals, ignore_columns=["species_id"], epochs=3
    )
    return fm.wait_for_training(poll_interval=1, show_progress=False)


@pytest.fixture(autouse=True)
def same_matplotlib_settings() -> Iterator[None]:
    """No figure may change the user's own settings."""
    before = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == before


@pytest.fixture
def model() -> Iterator[ModelServer]:
    """A scripted server with one predictor, "p1"."""
    model = ModelServer()
    server = ScriptedServer(model)
    model.featrix = FeatrixSphere(server.url)
    model.add("p1")
    yield model
    server.close()


@pytest.fixture
def predictor(model: ModelServer) -> Predictor:
    return model.featrix.predictor("p1", "m-1")
