"""Verifying: hashes, then every figure measured again."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ganzoo import hub
from ganzoo.errors import (
    IntegrityError,
)
from ganzoo.models import store
from ganzoo.publish import push
from ganzoo.publish.verify import verify
from tests.builders import run
from tests.hub_models import WRITER, contents, get
from tests.hub_server import HubServer

# how huggingface_hub hands its HTTP client a file; its own matter
pytestmark = [
    pytest.mark.usefixtures("hub_home"),
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
]


# ------------------------------------------------------------------------------ verifying


def test_figures_of_a_card_are_measured_again(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_root: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from ganzoo.metrics import evaluate

    source = hub.installed()["gan-mnist"]
    folder = tmp_path / "gan"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_bytes((source / name).read_bytes())
    model = store.load(folder)
    report = evaluate(model, count=300)
    report.write(folder)
    push.push(folder, "me/gan", endpoint=server.url, token=WRITER)
    found = verify("me/gan", endpoint=server.url)
    assert found.holds and found.found and set(found.found.figures) == set(report.figures)
    assert found.hashed["model.safetensors"] == "config.json, the hub's record, metrics.json"
    assert found.hashed["README.md"] == "the hub's record"
    # a card that boasts
    fid = report.figures["fid"]
    better = dataclasses.replace(fid, value=fid.value / 2)
    boasted = dataclasses.replace(report, figures={**report.figures, "fid": better})
    boasted.write(folder)
    assert verify(folder).drifted == {"fid": (fid.value / 2, pytest.approx(fid.value, rel=0.02))}
    assert run(monkeypatch, "hub", "verify", folder) == 1
    assert "drifted" in capsys.readouterr().out
    # and one of other weights
    dataclasses.replace(report, weights="0" * 64).write(folder)
    with pytest.raises(IntegrityError, match="figures are those of another model"):
        verify(folder)


def test_hashes_are_looked_at_first(server: HubServer, folder: Path) -> None:
    server.add("me/tiny", {**contents(folder), "samples.png": b"picture"})
    get(server)
    path = hub.resolve("me/tiny", endpoint=server.url) / "samples.png"
    assert verify("me/tiny", endpoint=server.url).holds
    path.resolve().write_bytes(b"pictura")
    with pytest.raises(IntegrityError, match=r"samples\.png is not what the hub's record says"):
        verify("me/tiny", endpoint=server.url)
    assert verify("me/tiny", endpoint=server.url, local_files_only=True).hashed == {
        "model.safetensors": "config.json"
    }
