"""Tiny real trainings that fail, each in one way, and some that are well: for the doctor."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from ganzoo import runs
from ganzoo.data import load
from ganzoo.data.source import Source
from ganzoo.spec import (
    Adam,
    Flatten,
    Image,
    LeakyReLU,
    Linear,
    Network,
    Normal,
    ReLU,
    Reshape,
    Spec,
    Tanh,
    Update,
)

SIDE = 14
BATCH = 16
STEPS = 600


@lru_cache(maxsize=1)
def digits() -> Source:
    """Two thousand of the bundled digits, 14x14."""
    source = load("digits")
    images = source.batch("image", torch.arange(2000))
    small = F.avg_pool2d(images, 2).add(1).mul(127.5).round().byte()
    return Source.from_arrays("digits-14", small)


def one_picture() -> Source:
    """The same picture again and again, of noise."""
    generator = torch.Generator().manual_seed(0)
    picture = torch.randint(60, 200, (1, 1, SIDE, SIDE), generator=generator, dtype=torch.uint8)
    return Source.from_arrays("one", picture.expand(64, 1, SIDE, SIDE).contiguous())


def gan(
    discriminator: tuple[float, ...] = (2e-4, 0.5),
    maker: tuple[float, ...] = (2e-4, 0.5),
    *,
    critic: dict[str, str] | None = None,
    fool: str = "bce(D(fake), 1)",
    width: int = 64,
    latent: int = 16,
    repeat: int = 1,
    **changes: Any,
) -> Spec:
    """A fully connected GAN; `discriminator` and `maker` are rate and momentum of D and G."""
    (d_rate, d_beta), (g_rate, g_beta) = discriminator, maker
    parts: dict[str, Any] = {
        "title": "tiny",
        "draws": {"x": Image((1, SIDE, SIDE)), "z": Normal(latent)},
        "networks": {
            "G": Network(
                {"z": ()},
                [Linear(64), ReLU(), Linear(64), ReLU(), Linear(SIDE * SIDE), Tanh(),
                 Reshape((1, SIDE, SIDE))],
            ),
            "D": Network({"x": ()}, [Flatten(), Linear(width), LeakyReLU(), Linear(width),
                                     LeakyReLU(), Linear(1)]),
        },
        "let": {"fake": "G(z)"},
        "round": [
            Update("D", critic or {"real": "bce(D(x), 1)", "fake": "bce(D(fake), 0)"},
                   Adam(d_rate, betas=(d_beta, 0.999))),
            Update("G", {"fool": fool}, Adam(g_rate, betas=(g_beta, 0.999)), repeat=repeat),
        ],
        "tasks": {"generate": "G(z)"},
        "steps": STEPS,
        "batch": BATCH,
    }  # fmt: skip
    return Spec(**{**parts, **changes})


def of_digits(**changes: Any) -> Spec:
    """A small GAN of the bundled digits, 28x28, whose classes a classifier knows."""
    networks = {
        "G": Network({"z": ()}, [Linear(784), Tanh(), Reshape((1, 28, 28))]),
        "D": Network({"x": ()}, [Flatten(), Linear(8), LeakyReLU(), Linear(1)]),
    }
    draws = {"x": Image((1, 28, 28)), "z": Normal(4)}
    parts = {"networks": networks, "draws": draws, "ema": {"G": 0.9}, "steps": 8, "batch": 8}
    return gan(**{**parts, **changes})


def circling() -> Spec:
    """A linear discriminator and a generator of one picture, which circle it (arXiv:1801.04406)."""
    made = gan((7e-3, 0.9), (7e-3, 0.9), latent=1)
    networks = {
        "G": Network({"z": ()}, [Linear(SIDE * SIDE), Tanh(), Reshape((1, SIDE, SIDE))]),
        "D": Network({"x": ()}, [Flatten(), Linear(1)]),
    }
    return made.replace(networks=networks, let={"fake": "G(0 * z)"})


def trained(folder: Path, spec: Spec, data: Source | None = None, steps: int = STEPS) -> list[str]:
    """Carry out a run; what was said on the way."""
    said: list[str] = []
    settings = runs.Settings("tiny", spec, "digits-14", steps, BATCH, precision="fp32")
    for _ in runs.carry_out(folder, data or digits(), settings=settings, note=said.append):
        pass
    return said
