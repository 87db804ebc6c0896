"""Small Specs for tests of the language: two-layer networks on 8x8 images."""

from __future__ import annotations

from typing import Any

import torch

from ganzoo.engine.training import Training
from ganzoo.spec import (
    Adam,
    Flatten,
    Image,
    LeakyReLU,
    Linear,
    Network,
    Normal,
    Reshape,
    Spec,
    Tanh,
    Update,
)
from ganzoo.testing import noise

SIDE = 8
CPU = torch.device("cpu")


def generator(**more: Any) -> Network:
    return Network({"z": ()}, [Linear(SIDE * SIDE), Tanh(), Reshape((1, SIDE, SIDE))], **more)


def critic(**more: Any) -> Network:
    return Network({"x": ()}, [Flatten(), Linear(16), LeakyReLU(), Linear(1)], **more)


def gan(**changes: Any) -> Spec:
    """A GAN of two updates, D and G; `changes` are parts of the Spec that are otherwise."""
    parts: dict[str, Any] = {
        "draws": {"x": Image((1, SIDE, SIDE)), "z": Normal(4)},
        "networks": {"G": generator(), "D": critic()},
        "let": {"fake": "G(z)"},
        "round": [
            Update("D", {"real": "mean(softplus(-D(x)))", "fake": "mean(softplus(D(fake)))"}),
            Update("G", {"fool": "mean(softplus(-D(fake)))"}, Adam(1e-3)),
        ],
        "tasks": {"generate": "G(z)"},
        "steps": 8,
        "batch": 8,
    }
    return Spec(**{**parts, **changes})


def training(spec: Spec, *, batch: int = 8, seed: int = 0, channels: int = 1) -> Training:
    data = noise(SIDE, channels)
    return Training(spec, data, batch=batch, seed=seed, device=CPU, precision="fp32")
