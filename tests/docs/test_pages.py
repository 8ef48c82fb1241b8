"""The pages of ``docs/``: their ``python`` blocks run, and their links lead somewhere.

A page's blocks run in order in one notebook shell, in a folder that holds ``animals.csv``, against
one embedded server. The pages after the second begin with what it made; see ``docs/index.md``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from featrix_client import FeatrixSphere
from tests.conftest import embedded

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted(page.name for page in DOCS.glob("*.md") if BLOCK.search(page.read_text("utf-8")))
BARE = ("install.md", "train.md")
"""Pages that make what the others begin with."""
LINK = re.compile(r"\]\(([^)\s]+)\)")
MARKDOWN = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), *ROOT.glob("examples/*.md")])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, compile_cache: Path) -> Iterator[Path]:
    """A working folder with the table of the pages, and a server of its own behind it."""
    work = tmp_path_factory.mktemp("reader")
    data = ROOT / "examples" / "data"
    surveys = pd.read_csv(data / "portal_surveys.csv.gz").merge(
        pd.read_csv(data / "portal_species.csv")
    )
    columns = ["species", "sex", "hindfoot_length", "weight", "month", "plot_id"]
    surveys[columns].sample(300, random_state=1).to_csv(work / "animals.csv", index=False)
    with embedded(work / "featrix", work, compile_cache), pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLBACKEND", "agg")
        patch.chdir(work)
        yield work


@pytest.fixture(scope="module")
def begun(folder: Path) -> dict[str, Any]:
    """What a reader has in hand after the first two pages, and a predictor."""
    animals = pd.read_csv(folder / "animals.csv")
    featrix = FeatrixSphere("local")
    fm = featrix.create_foundational_model(
        name="animals", df=animals, ignore_columns=["species"], epochs=3
    ).wait_for_training(show_progress=False)
    predictor = fm.create_binary_classifier("sex", epochs=5).wait_for_training(show_progress=False)
    predictor.batch_predict(animals.head(2))  # the first answer is a slow one
    return {"animals": animals, "featrix": featrix, "fm": fm, "predictor": predictor}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run(
    page: str, folder: Path, shell: InteractiveShell, request: pytest.FixtureRequest
) -> None:
    shell.user_ns["FeatrixSphere"] = FeatrixSphere
    if page not in BARE:
        shell.user_ns.update(request.getfixturevalue("begun"))
    for code in BLOCK.findall((DOCS / page).read_text("utf-8")):
        shell.run_cell(code, store_history=False).raise_error()


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    inside = [link for link in LINK.findall(text) if not link.startswith("https://")]
    missing = [link for link in inside if not _there(page, link)]
    assert not missing


def _there(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return False
    headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE) if anchor else []
    return not anchor or anchor in {_slug(heading) for heading in headings}


def _slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_bounds_that_close_a_hole_are_those_of_the_project() -> None:
    told = re.findall(r"`([\w-]+)` ([\d.]+)\s+\(", (DOCS / "security.md").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    bounds = {*project["dependencies"], *project["optional-dependencies"]["local"]}
    assert len(told) > 8
    assert {f"{name}>={version}" for name, version in told} <= bounds
