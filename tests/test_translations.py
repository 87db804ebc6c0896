"""Translations whose two domains differ in one labelled attribute; and by how flat they are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import ganzoo
from ganzoo.data.catalog import DataSet, Domains
from ganzoo.metrics import efficientnet, evaluate, report, translations
from ganzoo.metrics import feature_extractors as extractors
from ganzoo.metrics.evaluation import untrained
from ganzoo.models.model import Model
from ganzoo.plugins.host import default
from ganzoo.spec import Conv, Fields, Image, Label, Network, Spec, Task, Update
from tests.squares import Eye, drawings

SHAPE = (3, 16, 16)


def squares(side: int, colour: Tensor) -> Tensor:
    """Squares on the left or on the right."""
    images = torch.zeros(len(colour), *SHAPE)
    left = 8 * side
    for image, number in zip(images, colour, strict=True):
        image[number, 4:12, left : left + 8] = 0.9
    return images


def measured(
    monkeypatch, a: Tensor, b: Tensor, translate: Callable[[Tensor], Tensor]
) -> report.Report:
    """The figures of a function as a translator from `a`, squares on the left, to `b`."""
    fields = Fields({
        "image": Image(SHAPE), "label": Label(2), "colour": Label(3, field="colour"),
        "a": Image(SHAPE, "a", True), "b": Image(SHAPE, "b", True),
    })  # fmt: skip
    images = torch.cat([a, b])
    label = torch.arange(2).repeat_interleave(len(a))
    arrays = {
        "image": images, "label": label, "colour": torch.zeros(len(images), dtype=torch.int64),
        "a": a, "b": b,
    }  # fmt: skip
    source = ganzoo.Source("sides", fields, arrays)
    declared = DataSet(
        "sides", fields, "", len(images), "", "", lambda *_: source,
        domains=Domains("label", {"a": (0,), "b": (1,)}),
    )  # fmt: skip
    monkeypatch.setitem(default().data, "sides", declared)
    monkeypatch.setattr(extractors, "extractor_of", lambda _: Eye())
    monkeypatch.setattr(efficientnet, "installed", lambda: None)
    monkeypatch.setattr(Model, "translate", lambda self, images, **_: translate(images))
    return evaluate(translator(), "sides", count=100, metrics=[translations.METRIC])


def translator() -> Model:
    """It has learnt nothing; its loss is the distance of images and what comes back of them."""
    draws = {name: Image(SHAPE, name, True) for name in "ab"}
    spec = Spec(
        draws=draws,
        networks={name: Network({"x": (Conv(3),)}, ()) for name in ("AB", "BA")},
        let={"ab": "AB(a)", "ba": "BA(b)"},
        round=[Update(("AB", "BA"), {"a": "mse(BA(ab), a)", "b": "mse(b, AB(ba))"})],
        tasks={
            "to_b": Task(kind="translate", output="ab", to="b"),
            "to_a": Task(kind="translate", output="ba", to="a"),
        },
    )
    return untrained(Model(spec, {}))


def test_what_was_asked_changes_and_the_rest_is_kept(monkeypatch) -> None:
    colour = torch.arange(100) % 3
    a, b = squares(0, colour), squares(1, colour)
    found = measured(monkeypatch, a, b, lambda images: images.roll(8, 3)).figures
    assert found["to_b_taken"].value == 1 and found["to_b_others_kept"].value == 1
    assert found["to_b_taken"].references["doing nothing"] == 0
    assert found["to_b_l1"].value == pytest.approx(0, abs=1e-3)
    painted = measured(monkeypatch, a, b, lambda images: images.roll(8, 3).roll(1, 1)).figures
    assert painted["to_b_taken"].value == 1 and painted["to_b_others_kept"].value == 0
    assert painted["to_b_others_kept"].references["doing nothing"] == 1
    assert painted["to_b_others_kept"].references["colour, the worst"] == 0


def test_a_texture_of_the_other_domain_is_not_its_flatness(monkeypatch) -> None:
    """From shaded drawings to flat ones: noise on flat colours is not flat."""
    shaded, flat = drawings(100, True), drawings(100, False)
    found = measured(monkeypatch, shaded, flat, lambda images: flat).figures
    figure = found["to_b_taken_by_flatness"]
    assert figure.value == 1 and figure.references == {"doing nothing": 0, "partners": 1}
    noise = 0.05 * torch.randn(100, *SHAPE, generator=torch.Generator().manual_seed(0))
    found = measured(monkeypatch, shaded, flat, lambda images: (flat + noise).clamp(0, 1)).figures
    assert found["to_b_taken_by_flatness"].value < 0.1


def test_a_cycle_that_is_trained_for_is_marked(monkeypatch) -> None:
    colour = torch.arange(100) % 3
    found = measured(monkeypatch, squares(0, colour), squares(1, colour), lambda images: images)
    assert found.figures["to_b_and_back"].targeted
    assert not found.figures["to_b_taken"].targeted and not found.figures["to_b_l1"].targeted
