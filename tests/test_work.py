"""What tasks cost is known before they run, and bounded for models that were loaded."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import ganzoo
from ganzoo import hub
from ganzoo.errors import ShapeError, SpecError, StoreError, TaskError, UnknownNameError
from ganzoo.models import scoring, store
from ganzoo.models.model import Model
from ganzoo.nn.build import build, initialize
from ganzoo.nn.work import BYTES, OPERATIONS, Work
from ganzoo.spec import (
    Attention,
    Conv,
    Deconv,
    Flatten,
    Image,
    Linear,
    Network,
    Normal,
    Repeat,
    Reshape,
    Spec,
    Tanh,
    Update,
    Upsample,
)
from tests.builders import model_of, run
from tests.table import TABLE


def drawing(*layers: Any, task: str = "G(z)", **more: Any) -> Spec:
    """A GAN whose generator has these layers between eight numbers and an image."""
    return Spec(
        draws={"x": Image((1, 8, 8)), "z": Normal(8)},
        networks={
            "G": Network({"z": ()}, layers),
            "D": Network({"x": (Flatten(),)}, (Linear(1),)),
        },
        round=[Update("D", {"d": "bce(D(x), 1)"}), Update("G", {"g": "mean(G(z))"})],
        tasks={"generate": task},
        **more,
    )


def saved(spec: Spec, folder: Path) -> Path:
    nets = build(spec)
    for name, net in nets.items():
        initialize(net, spec.networks[name], 1)
    return store.save(Model(spec, {name: nets[name] for name in spec.published}), folder)


@pytest.mark.parametrize("row", TABLE)
def test_operations_are_those_that_torch_counts(row: str, tmp_path: Path) -> None:
    """Within a factor of a few: arithmetic without weights counts, too, as it takes time."""
    model = store.load(store.save(model_of(row), tmp_path / "model"))
    for text, work in model.work.items():
        values = {
            name: torch.zeros(2, *shape, dtype=torch.int64 if whole else torch.float32)
            for name, shape, whole in _inputs(model, text)
        }
        with FlopCounterMode(display=False) as counter:
            model.evaluate(text, values)
        counted = counter.get_total_flops() / 2
        assert counted <= work.operations <= 4 * counted + 100_000, text


def _inputs(model: Model, text: str) -> list[tuple[str, tuple[int, ...], bool]]:
    from ganzoo.spec.draws import WHOLE, tensor_shape

    draws = model.spec.draws
    return [
        (name, tensor_shape(draws[name]), isinstance(draws[name], WHOLE))
        for name in model.spec.draws_in(text)
    ]


@pytest.mark.parametrize(
    "layers, operations, most",
    [
        ((Linear(64), Reshape((1, 8, 8))), 2 * 8 * 64, 8 + 64),
        ((Linear(64), Reshape((1, 8, 8)), Conv(4, 3)), 2 * 9 * 4 * 64, 64 + 256),
        ((Linear(64), Reshape((1, 8, 8)), Deconv(4)), 2 * 16 * 4 * 64, 64 + 1024),
        ((Linear(512), Reshape((8, 8, 8)), Attention()), 2 * 64 * 16 * 5, 64 * 16 * 2),
    ],
)
def test_layers(layers: tuple[Any, ...], operations: int, most: int) -> None:
    work = build(drawing(*layers, Tanh())).work["G(z)"]
    assert operations <= work.operations <= 3 * operations + 250_000
    assert most <= work.most <= 3 * most + 3000


HUGE = (Linear(64), Reshape((1, 8, 8)), Upsample(64), Conv(64, 9), Conv(64, 31), Conv(1, 9))
"""Few weights, and 512x512 pixels: 34 teraflops a sample."""
WIDE = (Linear(64), Reshape((1, 8, 8)), Upsample(32), *[Conv(1, 1)] * 3, Conv(1000, 1), Conv(1, 1))


@pytest.mark.parametrize("layers, unit", [(HUGE, "TFLOP"), (WIDE * 1, "GB")])
def test_a_small_config_that_asks_for_hours(
    layers: tuple[Any, ...], unit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = saved(drawing(*layers), tmp_path / "model")
    start = time.process_time()
    model = hub.from_pretrained(folder)
    if unit == "GB":
        model.work = {
            text: Work(work.operations, 10 * work.most, work.total)
            for text, work in model.work.items()
        }
    with pytest.raises(
        TaskError, match=rf"'G\(z\)' of .* {unit}.* If you trust this one"
    ) as caught:
        model.generate(1)
    assert time.process_time() - start < 2
    assert "ganzoo.from_pretrained(..., limit=" in str(caught.value)


def test_whoever_trusts_it_may_allow_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = saved(drawing(Linear(64), Reshape((1, 8, 8)), Tanh()), tmp_path / "model")
    monkeypatch.setattr("ganzoo.nn.work.OPERATIONS", 1000.0)
    with pytest.raises(TaskError, match=r"limit=\d+\)") as caught:
        hub.from_pretrained(folder).generate(2)
    needed = str(caught.value).split("limit=")[1].split(")")[0]
    drawn = hub.from_pretrained(folder, limit=int(needed)).generate(2, output="np")
    with pytest.raises(TaskError):
        hub.from_pretrained(folder, limit=int(needed) - 1).generate(2)
    monkeypatch.setenv("GANZOO_LIMIT", needed)
    np.testing.assert_array_equal(hub.from_pretrained(folder).generate(2, output="np"), drawn)
    monkeypatch.delenv("GANZOO_LIMIT")
    output = tmp_path / "x.png"
    assert run(monkeypatch, "sample", folder, "-n", "2", "-o", output) == 2
    monkeypatch.setenv("GANZOO_LIMIT", "1")  # so that what the command sets is undone
    assert run(monkeypatch, "--limit", needed, "sample", folder, "-n", "2", "-o", output) == 0
    assert run(monkeypatch, "--limit", "0", "sample", folder, "-o", output) == 2


@pytest.mark.parametrize("limit", [0, -1, "many", float("nan")])
def test_limits_that_are_none(limit: Any) -> None:
    with pytest.raises(UnknownNameError, match="how many times the usual work"):
        ganzoo.from_pretrained("gan-mnist", limit=limit)


def test_a_model_that_was_made_here_has_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganzoo.nn.work.OPERATIONS", 1.0)
    assert len(model_of("dcgan").generate(2)) == 2


def test_memory_is_kept_to_by_smaller_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = drawing(Linear(64), Reshape((1, 8, 8)), Tanh())
    model = hub.from_pretrained(saved(spec, tmp_path / "model"))
    whole = model.generate(40, output="np")
    each = 4 * model.work["G(z)"].most
    monkeypatch.setattr("ganzoo.nn.work.BYTES", 3.5 * each)
    sizes: list[int] = []
    model.networks["G"].register_forward_hook(lambda *args: sizes.append(len(args[1][0])))
    np.testing.assert_allclose(model.generate(40, output="np"), whole, atol=1e-6)
    assert set(sizes) == {3, 1} and sum(sizes) == 40


def test_scores_are_computed_at_a_fixed_size_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = store.load(store.save(model_of("ganomaly"), tmp_path / "model"))
    images = np.zeros((2, *model.spec.draws["x"].shape[1:], 1), np.float32)
    model.score(images)
    work = model.work[model.spec.tasks["score"].output]
    monkeypatch.setattr(
        "ganzoo.nn.work.OPERATIONS", 0.9 * scoring.scored_at_once(model) * work.operations
    )
    with pytest.raises(TaskError, match="limit=2"):
        model.score(images)


def test_functions_that_make_too_much() -> None:
    spec = drawing(Linear(64), Reshape((1, 8, 8)), task="resize(G(z), 20000)")
    with pytest.raises(ShapeError, match="1x20000x20000; at most 100,000,000"):
        build(spec)


def test_rows_that_repeat_without_end() -> None:
    inner: Any = (Tanh(),)
    for _ in range(4):
        inner = (Repeat(100, inner),)
    start = time.process_time()
    with pytest.raises(SpecError):
        build(drawing(Linear(64), *inner, Reshape((1, 8, 8))))
    assert time.process_time() - start < 5


def test_weights_without_end_may_be_allowed(tmp_path: Path) -> None:
    folder = saved(drawing(Linear(64), Reshape((1, 8, 8))), tmp_path / "model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "MAX_PARAMETERS", 100)
        with pytest.raises(StoreError, match="limit=6"):
            store.load(folder)
        assert store.load(folder, limit=6)


def test_the_bounds_are_above_what_is_published() -> None:
    for folder in hub.installed().values():
        for work in store.load(folder).work.values():
            assert 16 * work.operations < OPERATIONS / 10 and 16 * 4 * work.most < BYTES / 10
