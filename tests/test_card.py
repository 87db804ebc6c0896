"""Model cards: figures with their protocol, in the conventions of the hub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ganzoo import hub
from ganzoo.publish import card, push
from tests.hub_models import WRITER, head
from tests.hub_server import HubServer

pytestmark = [
    pytest.mark.usefixtures("hub_home"),
    # how huggingface_hub hands its HTTP client a file; its own matter
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
]


# ------------------------------------------------------------------------------------- cards


def test_a_card_is_made_where_there_is_none(server: HubServer, tmp_path: Path) -> None:
    source = hub.installed()["dcgan-mnist"]
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "metrics.json", "samples.png"):
        (folder / name).write_bytes((source / name).read_bytes())
    done = push.push(folder, "me/mine", endpoint=server.url, token=WRITER, licence="cc-by-4.0")
    text = server.repos["me/mine"].commits[done.commit]["README.md"].decode()
    assert 'ganzoo.from_pretrained("me/mine")' in text and "![64 samples of" in text
    assert not (folder / "README.md").exists()
    facts = head(text)
    assert facts["license"] == "cc-by-4.0" and "The weights are cc-by-4.0." in text
    (index,) = facts["model-index"]
    assert index["name"] == "me/mine"
    bare = push.push(folder, "me/bare", endpoint=server.url, token=WRITER)
    text = server.repos["me/bare"].commits[bare.commit]["README.md"].decode()
    assert "license" not in head(text) and "The weights are" not in text


@pytest.mark.parametrize("name", hub.installed())
def test_heads_of_published_cards_follow_the_conventions(name: str) -> None:
    """What the hub reads: library, task, licence, data, and each figure with its protocol."""
    from ganzoo.metrics import report

    folder = hub.installed()[name]
    facts = head((folder / "README.md").read_text("utf-8"))
    config = json.loads((folder / "config.json").read_text())
    said = report.read(folder)
    assert said
    assert facts["library_name"] == "ganzoo" and "ganzoo" in facts["tags"]
    assert facts["license"] == "apache-2.0"
    kind = next(iter(config["spec"]["tasks"].values()))["kind"]
    tasks = {
        "generate": "unconditional-image-generation",
        "encode": "image-classification",
        "translate": "image-to-image",
    }
    given = config["spec"]["tasks"]  # earlier Specs say `classes` in place of a kind
    if "classes" not in given and all(task["kind"] != "classify" for task in given.values()):
        tasks["encode"] = "image-feature-extraction"
    if any(draw["kind"] == "text" for draw in config["spec"]["draws"].values()):
        tasks["generate"] = "text-to-image"
    assert facts.get("pipeline_tag") == tasks.get(kind)
    assert ("anomaly-detection" in facts["tags"]) == (kind == "score")
    data = {"mnist": "ylecun/mnist", "fashion-mnist": "zalando-datasets/fashion_mnist"}
    there = data.get(config["data"]["name"].split(",")[0])
    assert facts.get("datasets") == ([there] if there else None)
    (index,) = facts["model-index"]
    assert index["name"] == name
    (results,) = index["results"]
    assert results["dataset"] == {
        "type": there or said.data, "name": said.data, "split": said.split
    }  # fmt: skip
    for metric, (key, figure) in zip(results["metrics"], said.figures.items(), strict=True):
        assert (metric["type"], metric["value"]) == (key, figure.value)
        protocol = metric["args"]
        assert (protocol["real"], protocol["generated"]) == (figure.real, figure.generated)
        assert protocol["seed"] == said.seed
        if extractor := said.feature_extractor:
            of_the_data = f"{extractor['name']}, sha256 {extractor['sha256']}"
            by = next((net for end, net in report.NETS.items() if key.endswith(end)), of_the_data)
            # cards that were written before say judge
            assert protocol.get("feature extractor", protocol.get("judge")) == by


def test_each_paper_of_a_source_is_a_link_of_its_own() -> None:
    two = "arXiv:1605.09782, arXiv:1704.00028; a small net *by hand*"
    assert card.sources(two, lambda text: text.replace("*", "")) == (
        "[arXiv:1605.09782](https://arxiv.org/abs/1605.09782), "
        "[arXiv:1704.00028](https://arxiv.org/abs/1704.00028), a small net by hand"
    )
    assert card.sources("") == ""
