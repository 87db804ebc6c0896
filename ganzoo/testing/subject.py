"""The subject of the checks: a variant with small settings, and a little random data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from ganzoo.data.source import Source
from ganzoo.engine.plan import Plan
from ganzoo.engine.training import Training
from ganzoo.errors import DataError
from ganzoo.models.model import Model
from ganzoo.plugins.host import default
from ganzoo.spec.draws import Image, Label, Text
from ganzoo.spec.spec import Spec
from ganzoo.spec.variant import Fields, Variant

BATCH = 8
ROWS = 24
"""The number of samples that are used of a data set."""
CPU = torch.device("cpu")


class NotConforming(AssertionError):
    """A variant, or another part of a plugin, fails a check."""


def noise(size: int = 16, channels: int = 1, *, classes: int = 3, samples: int = ROWS) -> Source:
    """Random data with a field of each kind: image, label, text, and the unpaired a and b.

    Random vectors stand in for embedded sentences.
    """
    generator = torch.Generator().manual_seed(0)
    shape = (channels, size, size)
    images = torch.randint(0, 256, (samples, *shape), generator=generator, dtype=torch.uint8)
    text = Text()
    fields = {
        "image": Image(shape), "label": Label(classes), "text": text,
        "a": Image(shape, "a", independent=True), "b": Image(shape, "b", independent=True),
    }  # fmt: skip
    arrays = {
        "image": images, "label": torch.arange(samples) % classes,
        "text": torch.randn(samples, text.size, generator=generator),
        "a": images.flip(0)[: samples - 2], "b": 255 - images,
    }  # fmt: skip
    return Source("noise", Fields(name="noise", fields=fields), arrays)


@dataclass(frozen=True)
class Subject:
    """A variant with its settings, and the data that it is checked on."""

    variant: Variant
    data: Source

    @classmethod
    def of(
        cls, variant: str | type[Variant], data: Source | None, settings: dict[str, Any]
    ) -> Subject:
        made = default().variant(variant) if isinstance(variant, str) else variant
        source = noise() if data is None else data
        if len(source) > ROWS:
            source = source.select(torch.arange(ROWS))
        return cls(made.parse(settings), source)

    @property
    def name(self) -> str:
        return getattr(self.variant, "name", type(self.variant).__name__)

    @cached_property
    def spec(self) -> Spec:
        """The whole Spec; NotConforming if it cannot be made for these data."""
        try:
            spec = self.variant.spec(self.data.fields)
        except DataError as error:
            raise NotConforming(
                f"{error}. These checks train on {self.data.name!r}; give your own data: "
                "conforms(..., data=...), ganzoo check-plugin --data"
            ) from None
        if not isinstance(spec, Spec):
            raise NotConforming(f"spec(data) returns {type(spec).__name__} {spec!r}, not a Spec")
        return spec

    @cached_property
    def short(self) -> Spec:
        """The Spec with the fewest rounds per stage that include every kind, at least two."""
        plan = Plan(self.spec)
        stages = [
            stage.replace(steps=2 + max(first for first, _ in plan.patterns(index)))
            for index, stage in enumerate(self.spec.stages)
        ]
        return self.spec.replace(stages=tuple(stages))

    def training(self) -> Training:
        batch = min(self.spec.batch, BATCH)
        return Training(self.short, self.data, batch=batch, seed=0, device=CPU, precision="fp32")

    @cached_property
    def model(self) -> Model:
        """The outcome of a short run."""
        run = self.training()
        while run.step < self.short.steps:
            run.round()
        return run.model()
