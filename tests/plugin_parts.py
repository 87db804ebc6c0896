"""A plugin and what one can bring: a variant, a layer, functions, data."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ganzoo import DataSet, Fields, Function, Layer, Spec, Variant, hookimpl
from ganzoo.spec import Flatten, Linear, Network, Normal, Reshape, Update

__all__ = [
    "BLOTS", "DataSet", "Fields", "Function", "Gain", "Layer", "Spec", "Tiny", "Variant",
    "between", "hookimpl", "lsgan", "plugin",
]  # fmt: skip


def plugin(name: str = "a_plugin", **hooks: Any) -> ModuleType:
    """A module with hooks that give these values."""
    module = ModuleType(name)
    for hook, brought in hooks.items():
        function = hookimpl(lambda brought=brought: brought)
        setattr(module, f"ganzoo_{hook}", function)
    return module


class Tiny(Variant):
    """A linear GAN on images of any size."""

    name = "tiny"
    lr: float = 0.01

    def spec(self, data: Fields) -> Spec:
        image = data.image
        return Spec(
            draws={"x": image, "z": Normal(2)},
            networks={
                "G": Network({"z": ()}, (Linear(math.prod(image.shape)), Reshape(image.shape))),
                "D": Network({"x": (Flatten(),)}, (Linear(1),)),
            },
            round=[
                Update("D", {"d": "bce(D(x), 1) + bce(D(G(z)), 0)"}),
                Update("G", {"g": "bce(D(G(z)), 1)"}),
            ],
            tasks={"generate": "G(z)"},
        )


class Gain(Layer):
    """A learned gain for each channel."""

    kind: Literal["gain"] = "gain"
    first: float = 1.0

    def module(self, shape: tuple[int, ...]) -> nn.Module:
        return GainModule(shape[0], self.first)


class GainModule(nn.Module):
    def __init__(self, channels: int, first: float) -> None:
        super().__init__()
        self.first = first
        self.gain = nn.Parameter(torch.empty(channels))

    def reset_parameters(self) -> None:
        nn.init.constant_(self.gain, self.first)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gain.view(-1, *[1] * (x.ndim - 2))


def lsgan(scores: Tensor, target: float) -> Tensor:
    """Least squares against a target."""
    return ((scores - target) ** 2).mean()


def between(critic: Any, x: Tensor, *, where: Tensor) -> Tensor:
    """The score at a random fraction of each sample."""
    return critic(x * where.view(-1, 1, 1, 1)).mean()


BLOTS = DataSet("blots", Fields(fields={}), "", 1, "", "", load="nowhere:at_all")
