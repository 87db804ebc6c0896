"""Stacks of layers that many GANs share: from an image down to a small map, and back up.

They are plain lists of layers, for the networks of variants. The smallest map has 3 or 4 pixels per
side, and each halving doubles the channels, as in DCGAN (Radford et al. 2015, arXiv:1511.06434).
The kernel size 4 is a multiple of the stride 2, which avoids checkerboard artefacts. Maps for MNIST
have 4, 7, 14 and 28 pixels, as in the authors' code of WGAN-GP; with one halving less, generators
of digits are too shallow to join strokes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ganzoo.errors import SpecError
from ganzoo.spec.draws import Image
from ganzoo.spec.layers import (
    BatchNorm,
    Conv,
    Crop,
    Deconv,
    Inject,
    Layer,
    LeakyReLU,
    Linear,
    ReLU,
    Reshape,
    Tanh,
)

RELU, LEAKY_RELU, BATCH_NORM = ReLU(), LeakyReLU(0.2), BatchNorm()


def conv_stack(
    image: Image,
    width: int,
    *,
    norm: Layer | None = None,
    activation: Layer = LEAKY_RELU,
    inject: Sequence[Inject] = (),
) -> list[Layer]:
    """Convolutions that halve the shape `image` until its shorter side has 3 or 4 pixels.

    Args:
        width: the channels after the first convolution; each further one doubles them.
        norm: the norm after each convolution but the first; None for critics with a gradient
            penalty.
        inject: a layer to put before each convolution, such as one that adds a label.
    """
    layers: list[Layer] = []
    for power in range(halvings(min(image.shape[1:]))):
        normed = norm if power else None
        layers += [*inject, Conv(width * 2**power, 4, 2, bias=normed is None)]
        layers += [normed] if normed else []
        layers.append(activation)
    return layers


def deconv_stack(
    image: Image,
    width: int,
    *,
    norm: Layer | None = BATCH_NORM,
    activation: Layer = RELU,
    inject: Sequence[Inject] = (),
) -> list[Layer]:
    """Layers from a vector to a map of 3 or 4 pixels, doubled to the shape `image`; ends in tanh.

    If doubling gives one pixel too many, it is cropped. If an image is not square, its shorter side
    starts from 3 or 4 pixels.

    Args:
        norm: the norm after each layer but the last.
        inject: a layer to put before each layer with weights, such as one that adds a label.

    Raises:
        SpecError: the sides differ and cannot be halved equally often.
    """
    height, width_ = image.shape[1:]
    steps = halvings(min(height, width_))
    if height != width_ and (height % 2**steps or width_ % 2**steps):
        raise SpecError(
            f"images of {width_}x{height} pixels: where the sides differ, both are multiples of "
            f"{2**steps}, such as {_multiple(width_, steps)}x{_multiple(height, steps)}"
        )
    sides = [(height, width_)]
    for _ in range(steps):
        sides.append((-(-sides[-1][0] // 2), -(-sides[-1][1] // 2)))
    channels = [image.channels, *(width * 2**power for power in range(len(sides) - 1))]
    after = [*([norm] if norm else []), activation]
    bias = norm is None
    side, start = sides.pop(), channels.pop()
    layers: list[Layer] = [
        *inject,
        Linear(start * side[0] * side[1], bias=bias),
        Reshape((start, *side)),
        *after,
    ]
    while sides:
        last = len(sides) == 1
        layers += [*inject, Deconv(channels.pop(), 4, 2, bias=bias or last)]
        if sides[-1][0] != 2 * side[0]:  # then both sides are the same
            layers.append(Crop(sides[-1][0]))
        layers += [Tanh()] if last else after
        side = sides.pop()
    return layers


def _multiple(side: int, steps: int) -> int:
    """The nearest side that can be halved `steps` times."""
    return max(1, round(side / 2**steps)) * 2**steps


def halvings(size: int) -> int:
    """The number of halvings of a side down to 3 or 4 pixels: 3 for 28 and 32, 4 for 64."""
    return max(1, math.ceil(math.log2(size / 4)))
