"""Bare names: installed packs first, then the official list at its pinned commit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import ganzoo
from ganzoo import hookimpl, hub
from ganzoo.errors import IntegrityError, PluginError, UnknownNameError, UnreachableError
from ganzoo.hub import official
from ganzoo.hub.official import Official
from ganzoo.models import store
from ganzoo.plugins.host import Host, default
from tests.builders import model_of
from tests.hub_server import HubServer

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store.save(model_of("dcgan"), tmp_path / "tiny", name="tiny")
    return tmp_path / "tiny"


@pytest.fixture
def server() -> Iterator[HubServer]:
    with HubServer() as running:
        yield running


def sha256(folder: Path) -> str:
    return json.loads((folder / "config.json").read_text())["weights"]["sha256"]


def listed(monkeypatch: pytest.MonkeyPatch, **found: Official) -> None:
    monkeypatch.setattr(official, "models", lambda: found)


def test_the_list_pins_the_weights_of_this_checkout() -> None:
    cards = {path.parent.name: path.parent for path in ROOT.glob("model_cards/*/config.json")}
    assert {name: model.sha256 for name, model in official.models().items()} == {
        name: sha256(folder) for name, folder in cards.items()
    }


def test_a_listed_name_is_fetched_at_its_commit(
    server: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    repository = server.add("zoo/tiny-gan", files)
    commit = repository.refs["main"]
    repository.commit({**repository.commits[commit], "README.md": b"a later commit"})
    listed(monkeypatch, **{"tiny-gan": Official("tiny-gan", "zoo", sha256(folder), commit)})
    there = {"endpoint": server.url, "cache_dir": tmp_path / "cache"}
    model = ganzoo.from_pretrained("tiny-gan", **there)
    wanted = store.load(folder).generate(2, seed=1, output="np")
    assert np.array_equal(model.generate(2, seed=1, output="np"), wanted)
    assert hub.resolve("tiny-gan", **there).name == commit
    server.asked.clear()
    ganzoo.from_pretrained("tiny-gan", **there)
    assert not server.asked, "the cache answers"


def test_other_weights_than_the_list_says_are_refused(
    server: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    commit = server.add("zoo/tiny-gan", files).refs["main"]
    listed(monkeypatch, **{"tiny-gan": Official("tiny-gan", "zoo", "0" * 64, commit)})
    for _ in range(2):  # nor from the cache, the second time
        with pytest.raises(IntegrityError, match="official list pins 0000"):
            ganzoo.from_pretrained("tiny-gan", endpoint=server.url, cache_dir=tmp_path / "cache")


def test_offline_the_error_names_the_pack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    known = {"tiny-gan": Official("tiny-gan", "zoo", "0" * 64, "1" * 40)}
    listed(monkeypatch, **known, **{"new-gan": Official("new-gan", "zoo", "0" * 64)})
    cache = tmp_path / "cache"
    with pytest.raises(UnreachableError, match="pip install ganzoo-models"):
        ganzoo.from_pretrained("tiny-gan", cache_dir=cache, local_files_only=True)
    with pytest.raises(UnreachableError, match="pip install ganzoo-models"):
        ganzoo.from_pretrained("tiny-gan", cache_dir=cache, endpoint="http://127.0.0.1:9")
    with pytest.raises(UnknownNameError, match="pip install ganzoo-models"):
        ganzoo.from_pretrained("new-gan", cache_dir=cache)


def pack(*folders: Path) -> SimpleNamespace:
    @hookimpl
    def ganzoo_models():
        return folders

    return SimpleNamespace(ganzoo_models=ganzoo_models)


def test_anybody_can_ship_a_pack(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()
    plugin = host.register(pack(folder.parent), "my-pack")
    assert plugin.brings == {"models": ["tiny"]} and host.models == {"tiny": folder}
    monkeypatch.setattr("ganzoo.plugins.host.default", lambda: host)
    assert hub.resolve("tiny") == folder
    assert "tiny" in hub.installed() and "tiny" in {entry.name for entry in hub.entries()}
    assert ganzoo.from_pretrained("tiny").generate(1)


def test_packs_that_are_refused(folder: Path, tmp_path: Path) -> None:
    host = Host()
    host.register(pack(folder.parent), "my-pack")
    with pytest.raises(PluginError, match="model 'tiny', and my-pack has one of that name"):
        host.register(pack(folder.parent), "their-pack")
    with pytest.raises(PluginError, match="there is no such folder"):
        host.register(pack(tmp_path / "gone"), "gone-pack")
    shutil.copytree(folder, tmp_path / "more" / "other")
    with pytest.raises(PluginError, match="this plugin has one of that name"):
        host.register(pack(tmp_path / "more", tmp_path / "more"), "twice")
    assert set(host.models) == {"tiny"}


def test_the_pack_of_this_checkout_is_a_plugin() -> None:
    assert "dcgan-mnist" in default().models
