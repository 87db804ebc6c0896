"""What a run keeps out of training, and stores beside the weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ganzoo import runs
from ganzoo.data.source import Source
from ganzoo.errors import SpecError, TrainingError
from ganzoo.models import store
from ganzoo.spec import Image, Spec, Task
from tests.table import TABLE

SHARE = 0.9


def with_quantile() -> Spec:
    spec = TABLE["ganomaly"]()
    tasks = {**spec.tasks, "score": spec.tasks["score"].model_copy(update={"quantile": SHARE})}
    return spec.model_copy(update={"tasks": tasks})


def numbered(spec: Spec, n: int = 200) -> Source:
    """Images of one grey each, so that each can be told from the others."""
    draw = next(draw for draw in spec.draws.values() if isinstance(draw, Image))
    greys = torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1)
    return Source.from_arrays("greys", greys.expand(n, *draw.shape).contiguous())


def greys(source: Source) -> list[int]:
    images = source.batch("image", torch.arange(len(source)))
    return images[:, 0, 0, 0].add(1).mul(127.5).round().int().tolist()


def test_what_is_held_out_is_not_trained_on() -> None:
    spec = with_quantile()
    rest, held = runs.hold_out(spec, numbered(spec))
    assert held is not None and len(held) == 10
    assert sorted(greys(rest) + greys(held)) == list(range(200))
    again = runs.hold_out(spec, numbered(spec))[1]
    assert again is not None and greys(again) == greys(held)
    everything, nothing = runs.hold_out(TABLE["ganomaly"](), numbered(spec))
    assert nothing is None and len(everything) == 200


def test_too_few_to_hold_some_out() -> None:
    spec = with_quantile()
    with pytest.raises(TrainingError, match="give 20 or more"):
        runs.hold_out(spec, numbered(spec, 5))


def test_the_threshold_is_of_the_held_out_images(tmp_path: Path) -> None:
    """The share of the task stays below it; a run that was stopped stores the same."""
    spec = with_quantile()
    data = numbered(spec)
    found = []
    for name, stops in (("whole", False), ("stopped", True)):
        settings = runs.Settings(name, spec, "greys", steps=6, batch=8, precision="fp32")
        folder = runs.start(tmp_path / name, settings)
        if stops:
            steps = runs.carry_out(folder, data)
            for _ in range(3):
                next(steps)
            steps.close()
        for _ in runs.carry_out(folder, data):
            pass
        found.append(store.load(folder / "model"))
    whole, stopped = found
    assert whole.config.thresholds == stopped.config.thresholds
    assert whole.config.thresholds["score"].images == 10
    assert whole.config.data.size == 190
    held = runs.hold_out(spec, data)[1]
    assert held is not None
    images = held.batch("image", torch.arange(10)).add(1).div(2)
    verdicts = whole.score(images).is_anomaly
    assert verdicts is not None and verdicts.sum() in (0, 1)


def test_only_scores_have_a_quantile() -> None:
    with pytest.raises(SpecError, match="has no quantile"):
        Task(kind="generate", output="G(z)", quantile=0.5)
    with pytest.raises(SpecError, match="quantile"):
        Task(kind="score", output="C(x)", quantile=1.0)
