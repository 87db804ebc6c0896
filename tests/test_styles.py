"""Layers that read: styles, noise, conditions, taps; and resampling, attention, minibatches."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ganzoo.errors import ShapeError, SpecError
from ganzoo.nn.build import build, initialize
from ganzoo.nn.modules import Net
from ganzoo.spec import (
    AddNoise,
    Attention,
    Bias,
    Blur,
    CondNorm,
    Constant,
    Conv,
    Downsample,
    Dropout,
    Embedding,
    Flatten,
    Image,
    Inject,
    Label,
    Layer,
    LeakyReLU,
    Linear,
    MinibatchStd,
    ModConv,
    Network,
    Normal,
    OneHot,
    Repeat,
    Residual,
    Spec,
    Spectral,
    Tap,
    Uniform,
    Update,
    Upsample,
    WeightNorm,
)
from ganzoo.spec.layers import fir
from ganzoo.spec.layers.weights import bias_of, weight_of


def net(layers: list[Layer], inputs: dict[str, Any] | None = None, **draws: Any) -> Net:
    """A network of these layers, of maps `v` (4, 6, 6) and what else is drawn."""
    draws = {"v": Normal(shape=(4, 6, 6)), **draws}
    network = Network({name: (inputs or {}).get(name, ()) for name in draws}, layers)
    spec = Spec(
        draws={**draws, "i": Image((1, 2, 2))},
        networks={"N": network, "O": Network({"i": ()}, [Flatten(), Linear(1)])},
        round=[Update(["N", "O"], {"a": f"mean(N({', '.join(draws)})) + mean(O(i))"})],
    )
    made = build(spec)["N"]
    initialize(made, network, 0)
    return made


def module(made: Net, path: str = "0") -> Any:
    return made.layers.get_submodule(path)


W = Normal(5)
ROWS = Normal(shape=(3, 5))


# ------------------------------------------------------------------------------ modulation


@pytest.mark.parametrize(("up", "demodulate"), [(False, True), (False, False), (True, True)])
def test_modulation_is_a_convolution_with_weights_of_each_sample(
    up: bool, demodulate: bool
) -> None:
    """Against the paper's formulas: w' = s_i w_oik, w'' = w' / |w'_o|, sample by sample."""
    layer = ModConv(7, 3, "w", up=up, demodulate=demodulate, weight="equalized")
    made = net([layer], w=W)
    part = module(made)
    v, w = torch.randn(3, 4, 6, 6), torch.randn(3, 5)
    weight = weight_of(part, part._layer.weight)
    style = F.linear(
        w, weight_of(part.affine, part._layer.weight), bias_of(part.affine, part._layer.weight)
    )
    for sample in range(3):
        own = weight * style[sample][None, :, None, None]
        if demodulate:
            own = own / (own.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
            assert torch.allclose(own.flatten(1).norm(dim=1), torch.ones(7), atol=1e-5)
        x = v[sample : sample + 1]
        if up:
            wide = torch.zeros(1, 4, 11, 11)
            wide[:, :, ::2, ::2] = x
            # the transposed convolution of the authors is a convolution, flipped for torch's
            wanted = F.conv2d(F.pad(wide, (2, 2, 2, 2)), own.flip((2, 3)))
            wanted = filtered(F.pad(wanted, (1, 1, 1, 1))) * 4
        else:
            wanted = F.conv2d(x, own, padding=1)
        assert torch.allclose(made(v, w)[sample : sample + 1], wanted, atol=1e-4)


def filtered(x: Tensor) -> Tensor:
    """[1, 3, 3, 1] in both directions, divided by its sum."""
    taps = torch.tensor([1.0, 3, 3, 1])
    kernel = torch.outer(taps, taps) / 64
    return F.conv2d(x, kernel.expand(x.shape[1], 1, 4, 4), groups=x.shape[1])


def test_the_size_of_a_style_changes_nothing_where_it_is_demodulated() -> None:
    made = net([ModConv(7, 3, "w")], w=W)
    v, w = torch.randn(3, 4, 6, 6), torch.randn(3, 5)
    part = module(made)
    before = made(v, w)
    with torch.no_grad():
        part.affine.weight.mul_(3)
        part.affine.bias.mul_(3)
    assert torch.allclose(made(v, w), before, atol=1e-4)


def test_a_style_begins_at_one_whatever_the_rate_multiplier() -> None:
    for weight in ("equalized", {"kind": "equalized", "lr": 0.01}, None):
        made = net([ModConv(7, 3, "w", weight=weight)], w=W)  # type: ignore[arg-type]
        part = module(made)
        bias = bias_of(part.affine, part._layer.weight)
        assert bias is not None and torch.allclose(bias, torch.ones(4))


def test_a_row_of_several_styles_is_one_style() -> None:
    several = net([ModConv(7, 3, "w", 1)], w=ROWS)
    one = net([ModConv(7, 3, "w")], w=W)
    one.load_state_dict(several.state_dict())
    v, rows = torch.randn(3, 4, 6, 6), torch.randn(3, 3, 5)
    assert torch.allclose(several(v, rows), one(v, rows[:, 1]), atol=1e-6)
    rows[:, [0, 2]] += 1  # the other rows mean nothing to it
    assert torch.allclose(several(v, rows), one(v, rows[:, 1]), atol=1e-6)


def test_a_noise_map_gives_each_layer_its_own_block() -> None:
    made = net([AddNoise("n", 2), AddNoise("n", 0)], n=Normal(shape=(3, 8, 8)))
    v, n = torch.randn(2, 4, 6, 6), torch.randn(2, 3, 8, 8)
    assert torch.equal(made(v, n), v)  # its strength begins at zero
    with torch.no_grad():
        module(made, "0").strength.fill_(2.0)
        module(made, "1").strength.fill_(3.0)
    wanted = v + 2 * n[:, 2:3, :6, :6] + 3 * n[:, :1, :6, :6]
    assert torch.allclose(made(v, n), wanted, atol=1e-6)


# ------------------------------------------------------------------------------ conditions


@pytest.mark.parametrize("norm", ["batch", "instance", "layer", "none"])
def test_a_conditional_norm_is_a_loop_over_classes(norm: str) -> None:
    made = net([CondNorm("y", norm)], {"y": (OneHot(5),)}, y=Label(5))  # type: ignore[arg-type]
    part = module(made)
    v, y = torch.randn(10, 4, 6, 6), torch.arange(10) % 5
    plain = {
        "batch": lambda x: F.batch_norm(x, None, None, training=True),
        "instance": F.instance_norm,
        "layer": lambda x: F.group_norm(x, 1),
        "none": lambda x: x,
    }[norm](v)
    wanted = torch.empty_like(v)
    for label in range(5):
        gain = 1 + part.scale.weight[:, label].view(1, -1, 1, 1)
        shift = part.shift.weight[:, label].view(1, -1, 1, 1)
        wanted[y == label] = plain[y == label] * gain + shift
    assert torch.allclose(made(v, y), wanted, atol=1e-5)


def test_a_conditional_norm_may_begin_as_the_plain_one() -> None:
    made = net([CondNorm("w", "instance", gain=0)], w=W)
    v = torch.randn(2, 4, 6, 6)
    assert torch.allclose(made(v, torch.randn(2, 5)), F.instance_norm(v), atol=1e-6)


@pytest.mark.parametrize("weight", [None, WeightNorm(), Spectral()])
@pytest.mark.parametrize("hidden", [None, 3])
def test_a_map_conditions_each_position(weight: Any, hidden: int | None) -> None:
    """SPADE: gains and biases are convolutions of a map of any size."""
    layer = CondNorm("m", "instance", weight=weight, hidden=hidden, bias=True)
    made = net([layer], m=Normal(shape=(2, 12, 12))).double().eval()
    part, biased = module(made), bool(hidden)
    with torch.no_grad():
        for name in ("scale", "shift", *["hidden"] * biased):
            getattr(part, name).bias.normal_()
    v, m = torch.randn(3, 4, 6, 6).double(), torch.randn(3, 2, 12, 12).double()

    def convolved(name: str, value: Tensor) -> Tensor:
        own = getattr(part, name)
        kernel = weight_of(own, weight)
        if weight is None:
            assert torch.equal(kernel, own.weight)
        padded = F.pad(value, (1, 1, 1, 1))
        places = [
            (padded[:, None, :, y : y + 3, x : x + 3] * kernel).sum((2, 3, 4))
            for y in range(6) for x in range(6)
        ]  # fmt: skip
        return torch.stack(places, 2).view(len(value), -1, 6, 6) + own.bias[:, None, None]

    value = m[:, :, ::2, ::2]  # the nearest pixel
    value = convolved("hidden", value).clamp_min(0) if hidden else value
    wanted = F.instance_norm(v) * (1 + convolved("scale", value)) + convolved("shift", value)
    assert torch.allclose(made(v, m), wanted, atol=1e-9)


def test_a_hidden_layer_of_a_style_and_biases_that_begin_at_zero() -> None:
    made = net([CondNorm("w", "none", hidden=7, bias=True)], w=W)
    part, v, w = module(made), torch.randn(2, 4, 6, 6), torch.randn(2, 5)
    assert not part.scale.bias.any() and not part.shift.bias.any()
    h = F.linear(w, part.hidden.weight, part.hidden.bias).clamp_min(0)
    scale, shift = (h @ p.weight.T for p in (part.scale, part.shift))
    wanted = v * (1 + scale[:, :, None, None]) + shift[:, :, None, None]
    assert torch.allclose(made(v, w), wanted, atol=1e-6)
    plain = net([CondNorm("m", "instance", gain=0, bias=True)], m=Normal(shape=(2, 3, 3)))
    assert torch.allclose(plain(v, torch.randn(2, 2, 3, 3)), F.instance_norm(v), atol=1e-6)


def test_each_chunk_of_a_latent_moves_what_it_conditions() -> None:
    """BigGAN: chunk i of z reaches the i-th norm, through a row."""
    made = net([CondNorm("c", row=0), Conv(3), CondNorm("c", row=1)], c=Normal(shape=(2, 5)))
    v, c = torch.randn(4, 4, 6, 6), torch.randn(4, 2, 5)
    before = made(v, c)
    for chunk in range(2):
        moved = c.clone()
        moved[:, chunk] += 1
        assert not torch.allclose(made(v, moved), before)


def test_dropout_that_reads_its_noise_stays_at_use() -> None:
    made = net([Dropout(0.25, noise="u", row=1)], u=Uniform(shape=(8, 6, 6), low=0))
    made.eval()
    v, u = torch.randn(2, 4, 6, 6), torch.rand(2, 8, 6, 6)
    wanted = v * (u[:, 4:] >= 0.25) / 0.75
    assert torch.allclose(made(v, u), wanted)
    assert torch.equal(made(v, u), made(v, u))
    assert not torch.equal(made(v, u), made(v, u.flip(0)))  # two draws differ


def test_a_projection_is_a_scalar_product_with_the_classs_vector() -> None:
    """arXiv:1802.05637: D(x, y) = w.h + b + <V_y, h>; labels differ by <V_y - V_y', h>."""
    head = Residual((Linear(1),), (Inject("y", (Embedding(5, 144),), "dot"),))
    made = net([Flatten(), head], y=Label(5))
    v, y = torch.randn(4, 4, 6, 6), torch.tensor([0, 4, 4, 2])
    line, table = module(made, "1.layers.0"), module(made, "1.shortcut.0.through.0").weight
    h = v.flatten(1)
    for sample in range(4):
        wanted = line.weight[0] @ h[sample] + line.bias + table[y[sample]] @ h[sample]
        assert torch.allclose(made(v, y)[sample], wanted, atol=1e-5)
    other = (y + 1) % 5
    moved = ((table[y] - table[other]) * h).sum(1, keepdim=True)
    assert torch.allclose(made(v, y) - made(v, other), moved, atol=1e-5)


# ---------------------------------------------------------------------------- taps, repeat


def test_a_tap_names_what_its_layers_make_and_leaves_the_flow_alone() -> None:
    skip = Tap("rgb", (Conv(3, 1),))
    made = net([Conv(6), skip, Upsample(mode="fir"), Conv(3), Inject("rgb", (Upsample(mode="fir"),),
                                                                    "add")])  # fmt: skip
    v = torch.randn(2, 4, 6, 6)
    flow = module(made, "0")(v)
    rgb = module(made, "1.through.0")(flow)
    wanted = module(made, "3")(module(made, "2")(flow)) + module(made, "2")(rgb)
    assert torch.allclose(made(v), wanted, atol=1e-5)
    assert torch.allclose(made(v, outputs=("rgb",)), rgb)
    assert made.leaves == {"rgb": (3, 6, 6), "": (3, 12, 12)}


def test_repeat_has_weights_of_its_own_each_time() -> None:
    made = net([Repeat(3, (Conv(4), LeakyReLU()))])
    weights = [key for key in made.state_dict() if key.endswith("weight")]
    assert weights == [f"layers.0.{time}.0.weight" for time in range(3)]
    v = torch.randn(2, 4, 6, 6)
    x = v
    for time in range(3):
        x = F.leaky_relu(module(made, f"0.{time}.0")(x), 0.2)
    assert torch.allclose(made(v), x, atol=1e-6)


def test_a_body_that_begins_with_a_constant_starts_from_nothing() -> None:
    made = net([Constant((4, 6, 6)), ModConv(3, 3, "v")], v=W)
    found = made(torch.randn(3, 5))
    assert found.shape == (3, 3, 6, 6) and not torch.allclose(found[0], found[1])
    constant = made.state_dict()["layers.0.constant"]
    assert constant.std().item() == pytest.approx(1, abs=0.2)


# -------------------------------------------------------------------------------- resampling


def test_resampling_filters_as_the_definition_says() -> None:
    v = torch.randn(2, 4, 6, 6)
    wide = torch.zeros(2, 4, 12, 12)
    wide[:, :, ::2, ::2] = v
    up = filtered(F.pad(wide, (2, 1, 2, 1))) * 4
    assert torch.allclose(net([Upsample(mode="fir")])(v), up, atol=1e-6)
    down = filtered(F.pad(v, (1, 1, 1, 1)))[:, :, ::2, ::2]
    assert torch.allclose(net([Downsample(mode="fir")])(v), down, atol=1e-6)
    assert torch.allclose(net([Blur()])(v), filtered(F.pad(v, (2, 2, 2, 2))), atol=1e-6)


@pytest.mark.parametrize(
    "resample",
    [
        fir.upsampled, fir.downsampled, partial(fir.blurred, pad=1, gain=4),
        partial(fir.blurred, pad=2),
    ],
    ids=["up", "down", "blur of 1", "blur of 2"],
)  # fmt: skip
@pytest.mark.parametrize("size", [(6, 8), (7, 5)])
def test_a_processor_s_filter_is_the_sums_at_any_order(
    resample: Callable[[Tensor], Tensor], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The convolutions and their transposes against sums of shifted maps, which other devices
    have, to the third gradient, in double precision."""

    def orders() -> list[Tensor]:
        x = torch.randn(2, 3, *size, dtype=torch.double, generator=torch.manual_seed(0))
        x.requires_grad_()
        found = [resample(x)]
        for _ in range(3):
            said = (found[-1].tanh() * found[-1]).sum()
            found.append(torch.autograd.grad(said, x, create_graph=True)[0])
        return found

    ours = orders()
    monkeypatch.setattr(fir, "_convolves", lambda x: False)
    for a, b in zip(ours, orders(), strict=True):
        assert torch.allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("resample", [fir.upsampled, fir.downsampled, partial(fir.blurred, pad=2)])
def test_a_filter_keeps_the_memory_format_and_the_type(
    resample: Callable[[Tensor], Tensor], dtype: torch.dtype
) -> None:
    """Its gradients, too: where formats are mixed, later operations are ten times slower."""
    x = torch.randn(2, 8, 8, 8).to(dtype, memory_format=torch.channels_last).requires_grad_()
    y = resample(x)
    (g,) = torch.autograd.grad(y.float().square().sum(), x, create_graph=True)
    (h,) = torch.autograd.grad(g.float().square().sum(), x)
    for found in (y, g, h):
        assert found.dtype == dtype
        assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("layer", [Upsample(mode="fir"), Downsample(mode="fir"), Blur()])
def test_constants_stay_constant_away_from_the_borders(layer: Layer) -> None:
    inside = net([layer])(torch.ones(1, 4, 6, 6))[:, :, 2:-2, 2:-2]
    if layer.kind == "downsample":
        inside = net([layer])(torch.ones(1, 4, 6, 6))[:, :, 1:-1, 1:-1]
    assert torch.allclose(inside, torch.ones_like(inside), atol=1e-6)


@pytest.mark.parametrize(
    "layers",
    [
        [Upsample(mode="fir")], [Downsample(mode="fir")], [Blur()], [Attention(2, 2)],
        [Conv(4, padding_mode="reflect")], [Conv(8, groups=4)], [MinibatchStd(2)],
        [LeakyReLU(0.2, 1.4142)], [Residual((Conv(4),), gain=0.7071)], [Bias()],
    ],
    ids=lambda layers: layers[0].kind,
)  # fmt: skip
def test_a_penalty_on_gradients_goes_through(layers: list[Layer]) -> None:
    """Twice differentiable: the second derivative is what finite differences say.

    In double precision, which no layer leaves on the way.
    """
    made = net([*layers, Flatten(), Linear(1)]).double()
    v = torch.randn(2, 4, 6, 6, dtype=torch.float64, requires_grad=True)

    def slope(x: Tensor) -> Tensor:
        [found] = torch.autograd.grad(made(x).tanh().sum(), x, create_graph=True)
        return found.square().sum()

    [second] = torch.autograd.grad(slope(v), v)
    step = torch.randn_like(v) * 1e-4
    wanted = (slope(v + step) - slope(v - step)).item() / 2
    assert (second * step).sum().item() == pytest.approx(wanted, rel=1e-3, abs=1e-9)


# -------------------------------------------------------------------------- attention, groups


def test_attention_is_the_formula_place_by_place() -> None:
    made = net([Attention(2, 2)])
    part = module(made)
    v = torch.randn(1, 4, 6, 6)
    query, key, value = (F.conv2d(v, getattr(part, n).weight)[0] for n in ("query", "key", "value"))
    key, value = (F.max_pool2d(x[None], 2)[0].flatten(1) for x in (key, value))
    wanted = torch.empty(2, 6, 6)
    for i in range(6):
        for j in range(6):
            shares = torch.softmax(query[:, i, j] @ key, 0)  # no division by sqrt(d)
            wanted[:, i, j] = value @ shares
    wanted = F.conv2d(wanted[None], part.out.weight)
    assert torch.allclose(made(v), wanted, atol=1e-5)


def test_minibatch_deviation_of_groups_sees_its_group_alone() -> None:
    made = net([MinibatchStd(2)])
    v = torch.randn(4, 4, 6, 6)
    found = made(v)
    for group in ((0, 2), (1, 3)):  # as the authors lay them out
        std = (v[list(group)].var(0, unbiased=False) + 1e-8).sqrt().mean()
        assert torch.allclose(found[list(group), 4], std.expand(2, 6, 6), atol=1e-6)
    moved = v.clone()
    moved[0] += torch.randn(4, 6, 6)
    assert torch.equal(made(moved)[[1, 3], 4], found[[1, 3], 4])
    assert net([MinibatchStd(3)])(v).shape == (4, 5, 6, 6)  # 3 and 4 have 1 in common


# ----------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("layers", "path", "message"),
    [
        ([ModConv(3, 3, "u")], "layers.0.style", "no input 'u'"),
        ([Inject("rgb"), Tap("rgb")], "layers.0.input", "no input 'rgb'"),
        ([Tap("w")], "layers.0", "the name 'w' is taken by an input"),
        ([Tap("ema")], "layers.0", "means a moving average"),
        ([Repeat(2, (Tap("t"),))], "layers.0.layers.0", "stands inside of repeat"),
        ([Tap("t", (Inject("t"),))], "layers.0.through.0.input", "no input, or tap before it, 't'"),
    ],
)
def test_one_mistake_gives_one_problem(layers: list[Layer], path: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        Network({"v": (), "w": ()}, layers)
    [(found, text)] = caught.value.problems
    assert found == path and message in text


@pytest.mark.parametrize(
    ("layer", "draws", "message"),
    [
        (ModConv(3, 3, "w", 3), {"w": ROWS}, "reads row 3 of vectors (rows, d), not 3x5"),
        (ModConv(3, 3, "w"), {"w": ROWS}, "reads a vector (d,), not 3x5"),
        (ModConv(3, 2, "w"), {"w": W}, "an even kernel changes the size"),
        (AddNoise("n", 3), {"n": Normal(shape=(3, 6, 6))}, "reads block 3 of 1x6x6"),
        (AddNoise("n"), {"n": Normal(shape=(3, 4, 4))}, "the noise is 3x4x4"),
        (CondNorm("y"), {"y": Label(3)}, "a label is not a vector"),
        (
            CondNorm("m", row=0),
            {"m": Normal(shape=(2, 3, 3))},
            "reads row 0 of vectors",
        ),
        (CondNorm("r"), {"r": ROWS}, "reads a vector (d,) or a map, not 3x5"),
        (CondNorm("w", weight=Spectral(), gain=0), {"w": W}, "begin at zero (gain 0) have no spec"),
        (Conv(3, weight=WeightNorm(), gain=0), {}, "begin at zero (gain 0) have no weight norm"),
        (Inject("w", join="dot"), {"w": W}, "(4, 6, 6) and (5,) differ, so they have no scalar"),
        (Conv(6, groups=4), {}, "4 channels to 6 cannot be divided into 4 groups"),
        (Conv(6, 13, padding_mode="reflect"), {}, "cannot reflect 6 pixels of a 6x6 map"),
        (Attention(8), {}, "needs at least 8 channels"),
    ],
)
def test_shapes_that_do_not_fit_are_named(layer: Layer, draws: Any, message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        net([layer], **draws)
    [(path, text)] = caught.value.problems
    assert path == "networks.N.layers.0" and message in text


def test_fir_resamples_by_two_alone() -> None:
    with pytest.raises(SpecError, match="fir resamples by 2, not by 4"):
        Upsample(4, "fir")
