"""A small GAN in parts, and with any of them changed."""

from __future__ import annotations

from typing import Any

import torch

from ganzoo.data.source import Source
from ganzoo.engine import train
from ganzoo.models.model import Model
from ganzoo.spec import (
    Fields,
    Flatten,
    Image,
    Label,
    LeakyReLU,
    Linear,
    Network,
    Normal,
    Reshape,
    Spec,
    Update,
)

X = Image((1, 8, 8))
DRAWS: dict[str, Any] = {"x": X, "z": Normal(4)}
G = Network({"z": ()}, (Linear(64), Reshape((1, 8, 8))))
D = Network({"x": (Flatten(),)}, (Linear(6), LeakyReLU(), Linear(1)))
E = Network({"x": (Flatten(),)}, (Linear(4),))


def spec_of(
    d: str = "mean(D(fake)) - mean(D(x))", g: str = "mean(D(fake))", **changes: Any
) -> Spec:
    """A small GAN with other losses, tasks, ..."""
    facts: dict[str, Any] = {
        "draws": DRAWS,
        "networks": {"G": G, "D": D},
        "let": {"fake": "G(z)"},
        "round": [Update("D", {"d": d}), Update("G", {"g": g})],
        "tasks": {"generate": "G(z)"},
    }
    return Spec(**{**facts, **changes})


def trained(spec: Spec, steps: int = 2) -> Model:
    images = torch.rand(8, 1, 8, 8)
    fields = Fields(fields={"image": X, "label": Label(3)})
    data = Source(
        "some", fields, {"image": images, "label": torch.arange(8) % 3}, value_range=(-1, 1)
    )
    *_, last = train(spec, data, steps=steps, seed=0, device="cpu", batch=4)
    return last.model()
