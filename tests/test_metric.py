"""Metrics as parts: what applies is measured, in order, whoever brings it."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import ganzoo
from ganzoo import Metric, hookimpl
from ganzoo.errors import MetricError
from ganzoo.metrics import Evaluation, evaluate, evaluation
from ganzoo.metrics.metric import CORE
from ganzoo.plugins.host import Host

ROOT = Path(__file__).parents[1]


def plugin(*metrics: Any) -> ModuleType:
    module = ModuleType("of_a_plugin")
    module.ganzoo_metrics = hookimpl(lambda: metrics)  # type: ignore[attr-defined]
    return module


@pytest.fixture
def host(monkeypatch) -> Host:
    host = Host()
    monkeypatch.setattr(evaluation, "default", lambda: host)
    return host


@pytest.fixture
def model() -> ganzoo.Model:
    return ganzoo.from_pretrained("dcgan-mnist")


def count(asked: Evaluation) -> dict[str, ganzoo.Figure]:
    return {"halves": asked.figure(asked.count / 2, "", "half of the images")}


def test_the_metrics_of_the_core_are_files_of_their_names() -> None:
    core = evaluation.measured()[: len(CORE)]
    assert tuple(metric.name for metric in core) == CORE
    for name in CORE:
        assert (ROOT / "ganzoo" / "metrics" / f"{name}.py").is_file()


def test_a_plugin_brings_a_metric(host: Host, model: ganzoo.Model, monkeypatch) -> None:
    monkeypatch.setattr(evaluation, "CORE", ("class_balance",))
    asked: list[str] = []
    host.register(plugin(
        Metric("halves", lambda e: bool(e.model.tasks("generate")), count),
        Metric("translators", lambda e: bool(e.model.tasks("translate")), lambda e: 1 / 0),
    ))  # fmt: skip
    found = evaluate(model, "digits", count=100, note=asked.append).figures
    assert found["halves"].value == 50 and found["halves"].real == 100
    assert list(found) == ["class_entropy", "rarest_class", "halves"]
    assert asked == ["class balance", "halves"], "what does not apply is not asked"


def test_a_metric_that_fails_is_named(host: Host, model: ganzoo.Model, monkeypatch) -> None:
    monkeypatch.setattr(evaluation, "CORE", ())
    host.register(plugin(Metric("broken", lambda e: True, lambda e: {"x": 1 / 0})), "a-zoo")
    with pytest.raises(MetricError, match=r"'broken' of a-zoo failed \(ZeroDivisionError"):
        evaluate(model, "digits", count=100)


def test_two_figures_of_one_name(model: ganzoo.Model) -> None:
    metrics = [Metric(name, lambda e: True, count) for name in ("one", "other")]
    with pytest.raises(MetricError, match="'one' and 'other' both give a figure 'halves'"):
        evaluate(model, "digits", count=100, metrics=metrics)


def test_names_of_the_core_are_taken(host: Host) -> None:
    with pytest.raises(ganzoo.GanzooError, match="metric 'likelihood', and ganzoo has one"):
        host.register(plugin(Metric("likelihood", lambda e: True, count)))
    with pytest.raises(ganzoo.GanzooError, match="must give a Metric"):
        host.register(plugin(count))


def test_a_report_says_by_which_features(model: ganzoo.Model) -> None:
    of_pixels = Metric("halves", lambda e: True, count)
    assert evaluate(model, "digits", count=100, metrics=[of_pixels]).feature_extractor is None


def test_the_page_runs(host: Host, monkeypatch) -> None:
    """What docs/metrics.md shows, from top to bottom."""
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "metrics.md").read_text(), re.DOTALL
    )
    names: dict[str, Any] = {}
    exec("\n\n".join(blocks), names)
    assert 0 < names["report"].figures["brightness"].value < 0.3
    host.register(type("Its", (), {"ganzoo_metrics": staticmethod(names["ganzoo_metrics"])}), "its")
    assert set(host.metrics) == {"brightness"}


def test_every_attribute_of_the_page_is_there(model: ganzoo.Model) -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    asked = Evaluation(model, "digits", 100)
    rows = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    names = [name for row in rows for name in re.findall(r"`(\w+)", row)]
    assert len(names) > 10
    for name in names:
        assert hasattr(type(asked), name) or name in vars(asked), name
