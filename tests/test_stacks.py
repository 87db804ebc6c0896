"""Stacks of layers: every size gets down to a few pixels, and up again to what it was."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import pytest

import ganzoo.spec as s
from ganzoo.nn.build import build
from ganzoo.nn.modules import Net
from ganzoo.spec import BatchNorm, Image, Inject, Linear, Network, Normal, Spec, Update

SIZES = [8, 12, 16, 20, 27, 28, 31, 32, 33, 48, 50, 63, 64, 96, 100, 127, 128]


def networks(size: int, channels: int = 1) -> dict[str, Net]:
    """A stack down that ends in a tap, and a stack up, built for one size."""
    image = Image((channels, size, size))
    down = [*s.conv_stack(image, 2, norm=BatchNorm()), s.Tap("end"), Linear(1)]
    spec = Spec(
        draws={"x": image, "z": Normal(3)},
        networks={
            "G": Network({"z": ()}, s.deconv_stack(image, 2)),
            "D": Network({"x": ()}, down),
        },
        round=[
            Update("D", {"real": "mean(D(x))", "fake": "-mean(D(G(z)))"}),
            Update("G", {"fool": "mean(D(G(z)))"}),
        ],
    )
    return build(spec)


@pytest.mark.parametrize(
    "size, halvings",
    [(8, 1), (9, 2), (16, 2), (17, 3), (28, 3), (32, 3), (33, 4), (64, 4), (65, 5), (128, 5)],
)
def test_the_smallest_map_has_3_or_4_pixels(size: int, halvings: int) -> None:
    assert s.halvings(size) == halvings
    assert 3 <= -(-size // 2**halvings) <= 4


def test_an_image_that_is_small_already_is_halved_once() -> None:
    """A stack of no convolutions would be no network."""
    assert [s.halvings(size) for size in range(1, 9)] == [1] * 8


@pytest.mark.parametrize("size", SIZES)
def test_down_and_up_again(size: int) -> None:
    nets = networks(size)
    channels, height, width = nets["D"].leaves["end"]
    assert height == width == size // 2 ** s.halvings(size)
    assert channels == 2 * 2 ** (s.halvings(size) - 1)  # doubled with each halving
    assert nets["G"].leaves[""] == nets["D"].shapes[0] == (1, size, size)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_are_those_of_the_image(channels: int) -> None:
    assert networks(28, channels)["G"].leaves[""] == (channels, 28, 28)


@pytest.mark.parametrize("size", SIZES)
def test_on_the_way_up_a_pixel_too_many_is_cut_off_at_once(size: int) -> None:
    """Each map is half of the next, rounded up: 4, 7, 14, 28."""
    layers = s.deconv_stack(Image((1, size, size)), 2)
    side = layers[1].shape[1]
    assert prod(layers[1].shape) == layers[0].units
    for layer, after in pairwise(layers):
        if layer.kind == "deconv":
            doubled = 2 * side
            side = after.size if after.kind == "crop" else doubled
            assert doubled - side in (0, 1)
            assert (after.kind == "crop") == (doubled != side)
    assert side == size


def test_norms_stand_where_the_dcgan_has_them() -> None:
    """Not after the first convolution, not after the last deconvolution; then without bias."""
    image, norm = Image((3, 64, 64)), BatchNorm(affine=False)
    down = s.conv_stack(image, 8, norm=norm)
    assert [layer.kind for layer in down[:2]] == ["conv", "leaky_relu"]
    assert [layer.kind for layer in down[2:]] == ["conv", "batch_norm", "leaky_relu"] * 3
    assert [layer.bias for layer in down if layer.kind == "conv"] == [True, False, False, False]
    assert [layer.channels for layer in down if layer.kind == "conv"] == [8, 16, 32, 64]
    up = s.deconv_stack(image, 8, norm=norm)
    kinds = [layer.kind for layer in up]
    block = ["deconv", "batch_norm", "relu"]
    assert kinds == ["linear", "reshape", "batch_norm", "relu", *3 * block, "deconv", "tanh"]
    assert [layer.bias for layer in up if layer.kind == "deconv"] == [False, False, False, True]
    assert [layer.channels for layer in up if layer.kind == "deconv"] == [32, 16, 8, 3]
    assert {layer for layer in (*down, *up) if layer.kind == "batch_norm"} == {norm}


def test_without_a_norm_there_are_biases() -> None:
    """What a norm takes away, its own bias or a layer's has to bring."""
    image = Image((1, 32, 32))
    for layers in (s.conv_stack(image, 4), s.deconv_stack(image, 4, norm=None)):
        assert not any(layer.kind == "batch_norm" for layer in layers)
        weighted = [layer for layer in layers if layer.kind in ("linear", "conv", "deconv")]
        assert len(weighted) >= 3 and all(layer.bias for layer in weighted)


def test_what_is_injected_stands_before_every_layer_with_weights() -> None:
    image, told = Image((1, 32, 32)), Inject("y")
    for stack in (s.conv_stack, s.deconv_stack):
        layers = stack(image, 4, inject=[told])
        plain = stack(image, 4)
        assert [layer for layer in layers if layer != told] == plain
        before = [layers[i - 1] for i, layer in enumerate(layers) if hasattr(layer, "bias")]
        assert len(before) >= 3 and set(before) == {told}
        assert layers.count(told) == len(before)


def test_the_activation_is_the_callers() -> None:
    image = Image((1, 32, 32))
    down = s.conv_stack(image, 4, activation=s.ELU())
    up = s.deconv_stack(image, 4, activation=s.SiLU())
    assert {layer.kind for layer in down} == {"conv", "elu"}
    assert {layer.kind for layer in up} == {
        "linear", "reshape", "batch_norm", "silu", "deconv", "tanh",
    }  # fmt: skip
