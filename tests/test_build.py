"""Networks from Specs: paths, sizes, first weights, and errors with the place."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
import torch
from torch import nn

from ganzoo.errors import ShapeError
from ganzoo.nn.build import _build as build_
from ganzoo.nn.build import build, initialize, parameter_count
from ganzoo.nn.modules import Net, join
from ganzoo.spec import (
    ELU,
    GELU,
    BatchNorm,
    Conv,
    Crop,
    Deconv,
    Default,
    Downsample,
    Dropout,
    Embedding,
    Flatten,
    Gaussian,
    GaussianNoise,
    GlobalPool,
    He,
    Image,
    Inject,
    InstanceNorm,
    Label,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    Maxout,
    MaxPool,
    MinibatchStd,
    Network,
    Normal,
    OneHot,
    PixelNorm,
    PixelShuffle,
    ReLU,
    Reshape,
    Residual,
    Sigmoid,
    SiLU,
    Skip,
    Softplus,
    Spec,
    Tanh,
    Tap,
    Update,
    Upsample,
    Xavier,
)
from tests.table import TABLE


def spec_of(
    network: Network, draws: dict[str, Any], loss: str = "", tasks: dict[str, Any] | None = None
) -> Spec:
    """A Spec with one network N, called with all the draws."""
    loss = loss or f"mean(N({', '.join(draws)}))"
    return Spec(
        draws=draws, networks={"N": network}, round=[Update("N", {"a": loss})], tasks=tasks or {}
    )


def net_of(network: Network, draws: dict[str, Any], seed: int = 0) -> Net:
    net = build(spec_of(network, draws))["N"]
    initialize(net, network, seed)
    return net


def module_of(layer: Layer, shape: tuple[int, ...]) -> Any:
    """The module of one layer for what arrives."""
    net = Net(Network({"x": ()}, (layer,)), [shape], [False], dry=False)
    initialize(net, Network({"x": ()}, (layer,)), 0)
    return net.layers.get_submodule("0")


def image_net(*layers: Any, shape: tuple[int, int, int] = (2, 8, 8), **more: Any) -> Net:
    return net_of(Network({"x": ()}, layers, **more), {"x": Image(shape)})


# -------------------------------------------------------------------------------- paths


@pytest.mark.parametrize("row", TABLE)
def test_the_path_of_a_weight_is_that_of_its_layer(row: str) -> None:
    """`layers.3.layers.0.weight` is the weight of `layers[3]["layers"][0]` in the JSON."""
    spec = TABLE[row]()
    data = spec.to_dict()
    seen = 0
    for name, net in build(spec).items():
        for key in net.state_dict():
            place = data["networks"][name]
            *path, _ = key.split(".")
            path = path[:-1] if path[-1] == "linear" else path  # maxout is a linear map inside
            for step in path:
                place = place[int(step)] if isinstance(place, list) else place[step]
            assert isinstance(place, dict) and "kind" in place, key
            seen += 1
            units = place.get("units", place.get("channels"))
            if key.endswith("bias") and units is not None:
                assert net.get_parameter(key).numel() == units * place.get("pieces", 1)
    assert seen


def test_paths_inside_branches_and_blocks() -> None:
    network = Network(
        {"x": (Conv(4),), "y": (OneHot(3), Linear(5))},
        (
            Residual((Conv(4), Skip((Conv(4),)), Conv(4)), shortcut=(Conv(4, 1),)),
            Inject("y", (Linear(2),)),
            Linear(1),
        ),
    )
    found = net_of(network, {"x": Image((1, 4, 4)), "y": Label(3)})
    assert [key for key in found.state_dict() if key.endswith("weight")] == [
        "inputs.x.0.weight",
        "inputs.y.1.weight",
        "layers.0.layers.0.weight",
        "layers.0.layers.1.layers.0.weight",
        "layers.0.layers.2.weight",
        "layers.0.shortcut.0.weight",
        "layers.1.through.0.weight",
        "layers.2.weight",
    ]


# -------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize("kernel", [3, 4, 5, 6])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_deconv_multiplies_the_size_exactly(kernel: int, stride: int) -> None:
    if stride == 1 and kernel % 2 == 0:
        with pytest.raises(ShapeError, match="even kernel at stride 1 has no exact size"):
            image_net(Deconv(3, kernel, stride))
        assert (
            image_net(Deconv(3, kernel, stride, 1))(torch.ones(2, 2, 8, 8)).shape[2] == 5 + kernel
        )
        return
    net = image_net(Deconv(3, kernel, stride))
    with torch.no_grad():
        found = net(torch.ones(2, 2, 8, 8))
    assert found.shape == (2, 3, 8 * stride, 8 * stride)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_conv_divides_the_size(kernel: int, stride: int) -> None:
    assert (
        image_net(Conv(3, kernel, stride))(torch.ones(2, 2, 8, 8)).shape[2:] == (8 // stride,) * 2
    )


SHAPES = [
    (Linear(5), (5,)),
    (Conv(5, 4, 2), (5, 4, 4)),
    (Deconv(5), (5, 16, 16)),
    (Maxout(5, 3), (5,)),
    (Reshape((8, 4, 4)), (8, 4, 4)),
    (Flatten(), (128,)),
    (Crop(5), (2, 5, 5)),
    (Upsample(3), (2, 24, 24)),
    (Upsample(2, "bilinear"), (2, 16, 16)),
    (Downsample(), (2, 4, 4)),
    (MaxPool(4), (2, 2, 2)),
    (Residual((Conv(8), PixelShuffle()), (Upsample(),)), (2, 16, 16)),
    (GlobalPool(), (2,)),
    (BatchNorm(), (2, 8, 8)),
    (LayerNorm(), (2, 8, 8)),
    (InstanceNorm(affine=True), (2, 8, 8)),
    (PixelNorm(), (2, 8, 8)),
    (MinibatchStd(), (3, 8, 8)),
    *((layer, (2, 8, 8)) for layer in (ReLU(), LeakyReLU(), ELU(), GELU(), SiLU(), Tanh())),
    *((layer, (2, 8, 8)) for layer in (Sigmoid(), Softplus(), Dropout(), GaussianNoise())),
    (Tap("here"), (2, 8, 8)),
    (Residual((Conv(2),)), (2, 8, 8)),
    (Skip((Conv(3),)), (5, 8, 8)),
]


@pytest.mark.parametrize("layer, shape", SHAPES, ids=lambda v: getattr(v, "kind", None))
def test_the_shape_that_each_layer_leaves(layer: Any, shape: tuple[int, ...]) -> None:
    net = image_net(layer)
    assert net(torch.rand(4, 2, 8, 8)).shape == (4, *shape)


def test_values_of_the_layers_that_are_ganzoos_own() -> None:
    x = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(image_net(Crop(4))(x), x[:, :, 2:6, 2:6])
    assert torch.allclose(
        image_net(PixelNorm())(x).square().mean(1), torch.ones(4, 8, 8), atol=1e-4
    )
    assert torch.equal(image_net(GlobalPool("sum"))(x), x.sum((2, 3)))
    extra = image_net(MinibatchStd())(x)[:, 2]
    assert torch.allclose(extra, x.std(0, correction=0).mean().expand(4, 8, 8), atol=1e-6)
    norm = image_net(LayerNorm())(x)
    assert torch.allclose(norm.mean((1, 2, 3)), torch.zeros(4), atol=1e-6)
    maxout = image_net(Maxout(3, 2))
    flat = maxout.layers.get_submodule("0").linear(x.flatten(1))
    assert torch.equal(maxout(x)[:, 1], torch.maximum(flat[:, 1], flat[:, 4]))
    double = image_net(Residual((Conv(2),)))
    inner = double.layers.get_submodule("0.layers.0")
    assert torch.equal(double(x), x + inner(x))
    noisy = image_net(GaussianNoise(0.5))
    assert noisy.train()(x).sub(x).std().item() == pytest.approx(0.5, rel=0.1)
    assert torch.equal(noisy.eval()(x), x)


def test_labels_are_one_hot_and_tiled_over_space() -> None:
    network = Network({"x": (), "y": (OneHot(3),)}, (Inject("y"), Tap("both"), Conv(1)))
    net = net_of(network, {"x": Image((2, 4, 4)), "y": Label(3)})
    x, y = torch.rand(3, 2, 4, 4), torch.tensor([2, 0, 1])
    both = net(x, y, outputs=("both",))
    assert both.shape == (3, 5, 4, 4)
    assert torch.equal(both[:, :2], x)
    maps = nn.functional.one_hot(y, 3).float()[:, :, None, None].expand(3, 3, 4, 4)
    assert torch.equal(both[:, 2:], maps)


def test_a_discriminator_listens_to_the_label() -> None:
    """Known bug 9: D(x, y) and D(x, y') differ, in every conditional row."""
    for row in ("cgan", "cdcgan"):
        spec = TABLE[row]()
        net = build(spec)["D"]
        initialize(net, spec.networks["D"], 0)
        x = torch.rand(3, 1, 8, 8)
        zeros = torch.zeros(3, dtype=torch.long)
        assert not torch.equal(net(x, zeros), net(x, zeros + 1))


def test_an_embedding_is_a_table() -> None:
    net = net_of(Network({"y": (Embedding(4, 3),)}, (Tanh(),)), {"y": Label(4)})
    table = net.inputs["y"].get_submodule("0").weight
    y = torch.tensor([3, 0, 3])
    assert torch.equal(net(y), table[y].tanh())


def test_join_adds_multiplies_and_concatenates() -> None:
    vector, maps = torch.rand(2, 3), torch.rand(2, 3, 4, 4)
    tiled = vector[:, :, None, None]
    assert torch.equal(join([maps, vector], "add"), maps + tiled)
    assert join([vector, maps], "concatenate").shape == (2, 6, 4, 4)
    assert torch.equal(join([vector, vector, vector], "add"), vector + vector + vector)
    assert torch.equal(join([maps, vector], "multiply"), maps * tiled)
    assert torch.equal(join([vector, vector, vector], "multiply"), vector * vector * vector)


def test_reading_a_tap_alone_stops_there() -> None:
    layers = (Conv(3), Tap("low"), Conv(4), Tap("high"), Linear(1))
    net = image_net(*layers)
    ran: list[str] = []
    for name, module in net.layers.named_children():
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
    x = torch.rand(2, 2, 8, 8)

    def steps(*outputs: str) -> list[str]:
        ran.clear()
        net(x, outputs=outputs)
        return list(ran)

    assert steps("low") == ["0", "1"]
    assert steps("high", "low") == ["0", "1", "2", "3"]
    assert steps("", "low") == steps("") == ["0", "1", "2", "3", "4"]
    end, low = net(x, outputs=("", "low"))
    assert torch.equal(end, net(x)) and torch.equal(low, net(x, outputs=("low",)))


def test_a_tap_inside_a_block_can_be_read() -> None:
    net = image_net(Residual((Conv(2), Tap("inside"))), Linear(1))
    x = torch.rand(2, 2, 8, 8)
    inner = net.layers.get_submodule("0.layers.0")
    assert torch.equal(net(x, outputs=("inside",)), inner(x))


# ------------------------------------------------------------------------ first weights


def test_batch_norm_is_torchs() -> None:
    """Known bug 6: 0.8 where eps stands."""
    norm = image_net(BatchNorm()).layers.get_submodule("0")
    assert (norm.eps, norm.momentum, norm.affine) == (1e-5, 0.1, True)
    bare = image_net(BatchNorm(affine=False)).layers.get_submodule("0")
    assert not list(bare.parameters())


def test_first_weights_are_a_function_of_the_seed() -> None:
    spec = TABLE["cdcgan"]()

    def weights(seed: int) -> dict[str, torch.Tensor]:
        torch.rand(seed + 3)  # what was drawn before does not matter
        net = build(spec)["G"]
        initialize(net, spec.networks["G"], seed)
        return net.state_dict()

    state = torch.random.get_rng_state()
    first, again, other = weights(1), weights(1), weights(2)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["layers.1.weight"], other["layers.1.weight"])
    torch.random.set_rng_state(state)
    weights_before = torch.rand(3)
    torch.random.set_rng_state(state)
    initialize(build(spec)["G"], spec.networks["G"], 5)
    assert torch.equal(torch.rand(3), weights_before)  # the caller's randomness is left alone


def test_a_gain_of_xavier_scales_what_it_draws() -> None:
    nets: list[Any] = []
    for init in (Xavier(), Xavier(0.02)):
        network = Network({"x": ()}, (Conv(4), Flatten(), Linear(2)), init=init)
        net = build(spec_of(network, X))["N"]
        initialize(net, network, 0)
        nets.append(net.state_dict())
    for key, value in nets[0].items():
        assert torch.allclose(0.02 * value, nets[1][key]), key
    assert nets[0]["layers.0.weight"].abs().max() > 0


@pytest.mark.parametrize("init", [Gaussian(0.02), Gaussian(0.5), Xavier(), He(), Default()])
def test_how_weights_begin(init: Any) -> None:
    net = image_net(Conv(64, 5), BatchNorm(), Linear(40), init=init)
    conv, norm, linear = (net.layers.get_submodule(str(i)) for i in range(3))
    for layer in (conv, linear):
        weight = layer.weight.detach()
        inputs = weight[0].numel()
        outputs = weight.shape[0] * weight[0, 0].numel()
        match init:
            case Gaussian(std=std):
                wanted = std
            case Xavier():
                wanted = math.sqrt(2 / (inputs + outputs))
            case He():
                wanted = math.sqrt(2 / (1 + 0.2**2) / inputs)
            case _:
                wanted = math.sqrt(1 / 3 / inputs)
        assert weight.std().item() == pytest.approx(wanted, rel=0.05)
        assert abs(weight.mean().item()) < wanted / 10
        assert (layer.bias.abs().sum().item() == 0) == (not isinstance(init, Default))
    assert norm.bias.abs().max() == 0
    if isinstance(init, Gaussian):
        assert 0 < norm.weight.std().item() < 2 * init.std
        assert norm.weight.mean().item() == pytest.approx(1, abs=init.std)
    else:
        assert torch.equal(norm.weight, torch.ones(64))
    assert torch.equal(norm.running_var, torch.ones(64))


def test_build_takes_no_memory() -> None:
    """A Spec from a stranger is measured before anything is allocated."""
    spec = spec_of(Network({"z": ()}, (Linear(1_000_000), Linear(1_000_000))), {"z": Normal(9)})
    net = build(spec)["N"]
    assert all(value.is_meta for value in net.state_dict().values())
    assert parameter_count(net) == 10_000_000 + 1_000_001_000_000


@pytest.mark.parametrize("name", TABLE)
def test_closed_forms_agree_with_dry_runs(name: str) -> None:
    """Loading takes shapes from closed forms; they must be what running the layers gives."""
    spec = TABLE[name]()
    dry, quick = build(spec), build(spec, published=True)
    assert set(quick) == set(spec.published)
    for word, net in quick.items():
        assert net.shapes == dry[word].shapes and net.leaves == dry[word].leaves
        shapes = [{k: v.shape for k, v in n.state_dict().items()} for n in (net, dry[word])]
        assert shapes[0] == shapes[1]


MAPS = [
    *(Conv(5, k, s, p) for k in (1, 3, 4, 5) for s in (1, 2, 3) for p in (None, 0, 2)),
    *(Deconv(5, k, s, p) for k in (3, 4, 5, 6) for s in (2, 3) for p in (None, 0, 1)),
    Maxout(3, 2), Linear(4), Flatten(), Reshape((49, 9)), Reshape((441,)), Crop(4), Upsample(3),
    Upsample(2, "bilinear"), Downsample(2), MaxPool(2), PixelShuffle(3),
    GlobalPool(), GlobalPool("sum"),
    BatchNorm(), LayerNorm(), InstanceNorm(), PixelNorm(), MinibatchStd(), ReLU(), Tanh(),
    Dropout(), GaussianNoise(), Residual((Conv(9),)), Skip((Conv(4),)), Tap("middle"),
]  # fmt: skip


@pytest.mark.parametrize("layer", MAPS, ids=repr)
def test_closed_form_of_each_layer(layer: Layer) -> None:
    network = Network({"x": ()}, (layer,))
    shapes = [(9, 7, 7)]
    dry, quick = (Net(network, shapes, [False], dry=dry) for dry in (True, False))
    assert quick.leaves == dry.leaves


@pytest.mark.parametrize("join", ["concatenate", "add", "multiply"])
def test_closed_form_of_joins(join: str) -> None:
    """A label's one-hot beside a map, at the start and in the middle."""
    network = Network(
        {"x": (), "y": (OneHot(4),), "w": (OneHot(4),)},
        (Conv(4), Inject("w", (Linear(4),), join)),
        join=join,
    )
    shapes = [(4, 6, 6), (), ()]
    dry, quick = (Net(network, shapes, [False, True, True], dry=d) for d in (True, False))
    assert quick.leaves == dry.leaves


def test_linear_reads_maps_of_either_layout_alike() -> None:
    """Where the map is the larger, a channels-last one is read through permuted weights."""
    layer = module_of(Linear(2), (3, 4, 5)).double()
    maps = torch.randn(64, 3, 4, 5, dtype=torch.float64)
    last = maps.contiguous(memory_format=torch.channels_last)
    assert layer.weight.numel() < maps.numel()
    assert torch.allclose(layer(last), layer(maps), atol=1e-12)
    gradients = [
        torch.autograd.grad(layer(x).square().sum(), layer.weight)[0] for x in (maps, last)
    ]
    assert torch.allclose(*gradients, atol=1e-10)


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5, 0.9, 0.999999])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_dropout_drops_at_its_rate_and_keeps_the_mean(rate: float, dtype: torch.dtype) -> None:
    layer = module_of(Dropout(rate), (301,)).train()
    ones = torch.ones(300, 301, dtype=dtype)  # not a multiple of four
    torch.manual_seed(0)
    out = layer(ones)
    assert out.dtype == dtype
    dropped = (out == 0).double().mean().item()
    assert dropped == pytest.approx(rate, abs=4 * math.sqrt(rate * (1 - rate) / 90_300) + 1e-5)
    if rate < 0.99:
        assert out.double().mean().item() == pytest.approx(1, abs=0.05)
        # neighbours fall independently
        pairs = (out[:, 1:] == 0) & (out[:, :-1] == 0)
        assert pairs.double().mean().item() == pytest.approx(rate**2, abs=0.01)
    torch.manual_seed(0)
    assert torch.equal(layer(ones), out)
    assert rate in (0.0, 0.999999) or not torch.equal(layer(ones), out)
    assert layer.eval()(ones) is ones


def test_activations_overwrite_only_what_nobody_else_reads() -> None:
    network = Network(
        {"x": ()},
        (Conv(4), ReLU(), Tap("middle"), ReLU(), Residual((ReLU(), Conv(4), LeakyReLU())), Tanh()),
    )
    net = Net(network, [(2, 8, 8)], [False], dry=True)
    found = {
        name: module.inplace
        for name, module in net.named_modules()
        if isinstance(module, nn.ReLU | nn.LeakyReLU)
    }
    assert found == {
        "layers.1": True,  # after a convolution
        "layers.3": False,  # after a tap
        "layers.4.layers.0": False,  # the shortcut reads it, too
        "layers.4.layers.2": True,
    }


def test_only_what_is_published_is_built() -> None:
    spec = TABLE["ganomaly"]()
    assert set(build(spec, published=True)) >= set(spec.published) == {"GE", "GD", "E"}


# ------------------------------------------------------------------------------- errors


def problem(spec: Spec) -> tuple[str, str]:
    with pytest.raises(ShapeError) as caught:
        build(spec)
    (found,) = caught.value.problems
    return found


X = {"x": Image((2, 8, 8))}


FLAT = (Flatten(), Conv(3))
MISTAKES = [
    pytest.param((Linear(4), Conv(3)), "layers.1", "conv.*4.*map", id="body"),
    pytest.param((Reshape((3, 5)),), "layers.0", "2x8x8", id="reshape"),
    pytest.param((MaxPool(16),), "layers.0", "2x8x8", id="too small"),
    pytest.param((PixelShuffle(),), "layers.0", "2 channels are no", id="no multiple"),
    pytest.param((Crop(9), Linear(1)), "layers.0", "8x8", id="crop"),
    pytest.param((Residual((Conv(3),)),), "layers.0", "2x8x8", id="residual"),
    pytest.param((Residual((ReLU(), *FLAT)),), "layers.0.layers.2", "128", id="in a residual"),
    pytest.param((Residual((), FLAT),), "layers.0.shortcut.1", "128", id="shortcut"),
    pytest.param((Skip((Conv(3, 3, 2),)),), "layers.0", "2x8x8", id="skip"),
    pytest.param((OneHot(3),), "layers.0", "2x8x8", id="one hot of an image"),
]


@pytest.mark.parametrize("layers, path, text", MISTAKES)
def test_a_mistake_in_the_body(layers: Any, path: str, text: str) -> None:
    where, message = problem(spec_of(Network({"x": ()}, layers), X))
    assert where == f"networks.N.{path}"
    assert re.search(text, message), message
    assert "called in stages.0.round.0.minimize.a: mean(N(x))" in message


def test_a_mistake_in_a_branch() -> None:
    network = Network({"x": (Flatten(), Conv(3))}, (Linear(1),))
    where, message = problem(spec_of(network, X))
    assert where == "networks.N.inputs.x.1"
    assert "128" in message


def test_a_label_without_one_hot() -> None:
    network = Network({"x": (), "y": ()}, (Linear(1),))
    where, message = problem(spec_of(network, {**X, "y": Label(3)}))
    assert where == "networks.N.join"
    assert "(2, 8, 8), ()" in message


def test_inputs_that_cannot_be_joined() -> None:
    network = Network({"x": (), "y": ()}, (Linear(1),))
    where, message = problem(spec_of(network, {**X, "y": Image((2, 4, 4), "other")}))
    assert where == "networks.N.join"
    assert "(2, 8, 8), (2, 4, 4)" in message
    adding = Network({"x": (), "z": ()}, (Linear(1),), join="add")
    where, _ = problem(spec_of(adding, {**X, "z": Normal(5)}))
    assert where == "networks.N.join"


def test_a_mistake_in_an_inject() -> None:
    through = Network({"x": (), "z": ()}, (Inject("z", (Conv(3),)), Linear(1)))
    assert problem(spec_of(through, {**X, "z": Normal(3)}))[0] == "networks.N.layers.0.through.0"
    adding = Network({"x": (), "z": ()}, (ReLU(), Inject("z", join="add"), Linear(1)))
    where, message = problem(spec_of(adding, {**X, "z": Normal(3)}))
    assert where == "networks.N.layers.1"
    assert "2x8x8" in message


def test_a_network_called_with_other_sizes() -> None:
    spec = spec_of(Network({"x": ()}, (Conv(2),)), X, "mean(N(x)) + mean(N(resize(x, 4)))")
    where, message = problem(spec)
    assert where == "stages.0.round.0.minimize.a"
    assert message == "N was first called with 2x8x8, and here gets 2x4x4"


def test_values_that_do_not_fit_a_function() -> None:
    where, message = problem(spec_of(Network({"x": ()}, (Conv(3),)), X, "mse(N(x), x)"))
    assert where == "stages.0.round.0.minimize.a"
    assert message.startswith("mse(N(x), x), of 4x3x8x8, 4x2x8x8: shapes differ")


def test_a_loss_that_is_no_number() -> None:
    where, message = problem(spec_of(Network({"x": ()}, (Linear(1),)), X, "N(x)"))
    assert where == "stages.0.round.0.minimize.a"
    assert "a loss is one number" in message and "use mean(...)" in message


def test_a_score_that_is_not_one_number_an_image() -> None:
    network = Network({"x": ()}, (Conv(2),))
    where, message = problem(spec_of(network, X, tasks={"score": "abs(x - N(x))"}))
    assert where == "tasks.score.output"
    assert "one number an image" in message and "2x8x8" in message
    build(spec_of(network, X, tasks={"score": "distance(x, N(x))"}))


def test_sums_of_shapes_that_differ() -> None:
    """`+` of an image and of other sizes is a mistake of the Spec, too."""
    spec = spec_of(Network({"x": ()}, (Conv(2, 3, 2),)), X, "mean(x - N(x))")
    where, message = problem(spec)
    assert where == "stages.0.round.0.minimize.a"
    assert message.startswith("x - N(x), of 4x2x8x8, 4x2x4x4: ")


def test_a_division_by_zero() -> None:
    spec = spec_of(Network({"x": ()}, (Linear(1),)), X, "1 / 0 * mean(N(x))")
    where, message = problem(spec)
    assert where == "stages.0.round.0.minimize.a"
    assert message.startswith("1 / 0, of 1.0, 0.0: ")


@pytest.mark.parametrize("row", TABLE)
def test_zeros_find_the_shapes_that_tensors_without_numbers_find(row: str) -> None:
    """Loading tries tasks on a few zeros where that is cheap; what is made is the same."""
    spec = TABLE[row]()
    by_zeros, by_shapes = build_(spec, True, "cpu"), build_(spec, True, "meta")
    assert by_zeros.keys() == by_shapes.keys() and by_zeros.work == by_shapes.work
    for name, net in by_zeros.items():
        assert net.leaves == by_shapes[name].leaves and net.shapes == by_shapes[name].shapes
