"""Layers: what a declaration says of shapes is what its module does, in every network."""

from __future__ import annotations

import inspect
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganzoo.errors import ShapeError
from ganzoo.nn.build import initialize
from ganzoo.nn.modules import Net
from ganzoo.spec import Layer, Network
from ganzoo.spec import layers as L
from ganzoo.spec.layers.join import joined_shape

# ------------------------------------------------------------------------- one place each


@pytest.mark.parametrize("family", L.FAMILIES, ids=lambda family: family.__name__)
def test_a_family_exports_all_its_layers(family: Any) -> None:
    """The table of kinds, `ganzoo.spec` and the reference take what the files export."""
    layers = {
        name
        for name, value in vars(family).items()
        if inspect.isclass(value)
        and issubclass(value, Layer)
        and value.__module__ == family.__name__
    }
    assert set(family.__all__) == layers
    assert {family.__all__[0]} <= set(L.__all__)


@pytest.mark.parametrize("kind", L.LAYERS)
def test_every_layer_of_the_core_says_its_shape_and_how_it_is_computed(kind: str) -> None:
    layer = L.LAYERS[kind]
    assert layer.output_shape is not Layer.output_shape
    assert layer.module is not Layer.module or layer.forward is not Layer.forward


def test_no_two_layers_share_a_kind() -> None:
    assert len(L.LAYERS) == sum(len(family.__all__) for family in L.FAMILIES)


# ----------------------------------------------------------- closed forms against dry runs

PLAIN = [
    L.Flatten(), L.BatchNorm(), L.LayerNorm(), L.PixelNorm(), L.MinibatchStd(), L.ReLU(),
    L.LeakyReLU(), L.ELU(), L.GELU(), L.SiLU(), L.Tanh(), L.Sigmoid(), L.Softplus(), L.Dropout(),
    L.GaussianNoise(), L.InstanceNorm(), L.InstanceNorm(True), L.GlobalPool(), L.GlobalPool("sum"),
    L.OneHot(3), L.Embedding(3, 4), L.Upsample(2, "bilinear"), L.Blur(), L.Softmax(), L.Bias(),
    L.Scale(0.5), L.Scale(1.0, "channel"), L.Basis(2), L.Attention(1, 1), L.Attention(2, 2),
    L.VectorQuantize(5),
]  # fmt: skip


def after(layer: Layer, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """What leaves a layer without rows; None where it takes no such numbers."""
    try:
        return None if layer.takes == "labels" else layer.output_shape(shape)
    except ValueError:
        return None


class Dice:
    """Random networks of small layers: about half of them fit together."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.one_of, self.number = self.random.choice, self.random.randint

    def shape(self) -> tuple[int, ...]:
        number, rank = self.number, self.one_of([0, 1, 1, 2, 3, 3, 3, 3])
        return (self.one_of([1, 2, 3, 4, 12, 16]), number(1, 8), number(1, 8))[:rank]

    def leaf(self) -> Layer:
        """Any layer without rows."""
        one_of, number = self.one_of, self.number
        channels, kernel, stride = one_of([1, 2, 3, 4]), number(1, 6), number(1, 4)
        padding = one_of([None, None, None, 0, 1, 2, 3])
        sized = [
            L.Conv(channels, kernel, stride, padding, one_of([True, False])),
            L.Conv(channels, one_of([1, 3, 5])),
            L.Conv(channels, 3, groups=one_of([1, 2, 3])),
            L.Conv(channels, 3, padding_mode=one_of(["reflect", "zeros"])),
            L.Conv(channels, 3, weight=one_of(["spectral", "equalized"])),
            L.Deconv(channels, groups=one_of([1, 2])),
            L.Linear(4, weight=one_of(["spectral", "equalized"])),
            L.Downsample(2, "fir"),
            L.MinibatchStd(one_of([1, 2, 3])),
            L.Constant(self.shape() or (2,)),
            L.Deconv(channels, kernel, stride, padding, one_of([True, False])),
            L.Linear(one_of([1, 4, 16])),
            L.Maxout(one_of([1, 4]), number(1, 3)),
            L.Reshape(self.shape() or (1,)),
            L.Reshape((4, 2, 2)),
            L.Crop(number(1, 4)),
            L.Upsample(number(1, 3)),
            L.Downsample(number(1, 3)),
            L.MaxPool(number(1, 3)),
            L.PixelShuffle(number(1, 2)),
        ]
        return one_of(one_of([sized, PLAIN]))

    def fitting(self, shape: tuple[int, ...] | None) -> Layer:
        """A layer that mostly takes `shape`."""
        layer = self.leaf()
        for _ in range(self.number(0, 12)):
            if shape is None or after(layer, shape):
                break
            layer = self.leaf()
        return layer

    def row(
        self, inputs: tuple[str, ...], shape: tuple[int, ...] | None, depth: int = 2
    ) -> tuple[Layer, ...]:
        """Layers in a row; those of a body may inject `inputs`."""
        layers: list[Layer] = []
        for _ in range(self.number(0, 2 + depth)):
            kind = self.number(0, 11) if depth else 0
            if kind == 1:
                inner = self.row(inputs, shape, depth - 1)
                plain = tuple(layer for layer in inner if not layer.rows and layer.kind != "tap")
                layers.append(L.Residual(inner, self.one_of([(), plain])))
            elif kind == 2:
                layers.append(L.Skip(self.row(inputs, shape, self.one_of([0, depth - 1]))))
            elif kind == 3 and inputs:
                through, how = (
                    self.row(inputs, None, 0),
                    self.one_of(["concatenate", "add", "multiply", "dot"]),
                )
                layers.append(L.Inject(self.one_of(inputs), through, how))
            elif kind == 5 and inputs:
                name = self.one_of(inputs)
                layers.append(
                    self.one_of(
                        [L.ModConv(self.number(1, 4), self.one_of([1, 3]), name), L.AddNoise(name),
                         L.CondNorm(name), L.CondNorm(name, "instance"), L.CondNorm(name, "layer"),
                         L.CondNorm(name, hidden=2, bias=True),
                         L.ModConv(2, 3, name, up=True), L.Dropout(0.5, name)]
                    )
                )  # fmt: skip
            elif kind == 6:
                inner = self.row(inputs, shape, 0)
                plain = tuple(layer for layer in inner if not layer.rows and layer.kind != "tap")
                layers.append(L.Repeat(self.number(1, 3), plain))
            elif kind == 4:
                layers.append(L.Tap(f"t{self.number(0, 10**9)}"))
            else:
                layers.append(self.fitting(shape))
                shape = shape and after(layers[-1], shape)
        return tuple(layers)

    def network(self) -> tuple[Network, list[tuple[int, ...]], list[bool]]:
        """A network, and what arrives at its inputs."""
        names = ("u", "v", "w")[: self.one_of([1, 1, 2, 3])]
        shapes = [self.shape() for _ in names]
        if len(names) > 1 and self.number(0, 1):
            shapes[1] = shapes[0]
        labels = [not shape and bool(self.number(0, 3)) for shape in shapes]
        branches = {
            name: (self.one_of([L.OneHot(3), L.Embedding(3, 4)]),)
            if label
            else self.row((), shape, 0)
            for name, shape, label in zip(names, shapes, labels, strict=True)
        }
        start = shapes[0] if len(names) == 1 and not branches["u"] else None
        body, how = self.row(names[1:], start), self.one_of(["concatenate", "add", "multiply"])
        return Network(branches, body, how), shapes, labels


def made(case: Any, dry: bool) -> Net | None:
    try:
        return Net(*case, dry=dry)
    except ShapeError:
        return None


def sizes(net: Net | None) -> Any:
    return net and (net.leaves, {key: value.shape for key, value in net.state_dict().items()})


@given(st.integers(0, 2**32))
@settings(max_examples=500, deadline=None, derandomize=True)
def test_closed_forms_and_dry_runs_agree_on_random_networks(seed: int) -> None:
    """A published model is made from closed forms alone, and must run as they say."""
    case = network, shapes, labels = Dice(seed).network()
    dry, quick = made(case, True), made(case, False)
    assert sizes(dry) == sizes(quick)
    if quick is None:
        return
    initialize(quick, network, 0)
    quick.eval()
    for batch in (1, 3):
        values = [
            torch.zeros(batch, dtype=torch.int64) if label else torch.rand(batch, *shape)
            for shape, label in zip(shapes, labels, strict=True)
        ]
        with torch.inference_mode():
            assert quick(*values).shape == (batch, *quick.leaves[""])


def test_the_random_networks_are_of_all_kinds() -> None:
    """Else the test above would be one of errors, or of few layers."""
    cases = [Dice(seed).network() for seed in range(1000)]
    good = [network for network, *rest in cases if made((network, *rest), False)]
    assert 300 < len(good) < 800
    kinds = {layer.kind for net in good for _, layer in net.walk()}
    for seed in range(1000, 5000):  # a layer that few inputs fit is rare
        if kinds == set(L.LAYERS):
            break
        network, *rest = Dice(seed).network()
        if {layer.kind for _, layer in network.walk()} - kinds and made((network, *rest), False):
            kinds |= {layer.kind for _, layer in network.walk()}
    assert kinds == set(L.LAYERS)


# ------------------------------------------------------------------- what layers refuse


@pytest.mark.parametrize(
    "layer, shape, text",
    [
        (L.Reshape((1, 28, 28)), (1568,), "the input has 1568 numbers, 1x28x28 has 784"),
        (L.Residual((L.Linear(1),)), (5,), "they must be equal"),
        (L.MaxPool(2), (8,), "takes a map"),
        (L.Linear(3), (), "one number per sample"),
        (L.InstanceNorm(), (4, 1, 1), "one pixel"),
        (L.LayerNorm(), (1,), "own mean"),
        (L.OneHot(3), (3,), "takes labels"),
        (L.OneHot(3), (), "takes labels"),
        (L.Skip((L.Conv(3, 3, 2),)), (3, 8, 8), "differ in more than the number of channels"),
    ],
)
@pytest.mark.parametrize("dry", [True, False])
def test_a_layer_refuses_what_it_cannot_take(
    layer: Layer, shape: tuple[int, ...], text: str, dry: bool
) -> None:
    """Some of these ran: the first as twice as many samples, the second by broadcasting."""
    with pytest.raises(ShapeError, match=text):
        Net(Network({"x": ()}, (layer,)), [shape], [False], dry=dry)


@pytest.mark.parametrize("layer", [L.Linear(3), L.ReLU(), L.Skip((L.OneHot(3),)), L.Flatten()])
def test_a_label_is_no_number(layer: Layer) -> None:
    for dry in (True, False):
        with pytest.raises(ShapeError, match="one_hot or embedding"):
            Net(Network({"y": ()}, (layer,)), [()], [True], dry=dry)


def test_a_tap_lets_labels_pass() -> None:
    for dry in (True, False):
        net = Net(Network({"y": (L.Tap("label"),)}, (L.OneHot(3),)), [()], [True], dry=dry)
        assert net.leaves == {"label": (), "": (3,)}


@pytest.mark.parametrize(
    "shapes, how, shape",
    [
        ([(3,), (4,)], "concatenate", (7,)),
        ([(3,), (2, 5, 5)], "concatenate", (5, 5, 5)),
        ([(2, 3), (2, 5, 5)], "concatenate", (8, 5, 5)),
        ([(2,), (2, 5, 5)], "add", (2, 5, 5)),
        ([(2, 3), (4, 3)], "concatenate", (6, 3)),
    ],
)
def test_joined_shapes(shapes: Any, how: Any, shape: tuple[int, ...]) -> None:
    assert joined_shape(shapes, how) == shape


# ------------------------------------------------------------------ layers of plugins


class Doubled(Layer):
    """Twice the features, beside each other."""

    kind: Any = "doubled"
    wrong: int = 0

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (2 * shape[0] + self.wrong, *shape[1:])

    def forward(self, module: Any, x: torch.Tensor) -> torch.Tensor:
        return torch.cat((x, x), 1)


class Silent(Layer):
    """A plugin's layer that says no shape."""

    kind: Any = "silent"

    def module(self, shape: tuple[int, ...]) -> Any:
        return torch.nn.Linear(shape[0], 3)


def test_a_plugin_may_declare_its_shape_or_not() -> None:
    for layer, leaves in ((Doubled(), (8,)), (Silent(), (3,))):
        for dry in (True, False):
            net = Net(Network({"x": ()}, (layer,)), [(4,)], [False], dry=dry)
            assert net.leaves[""] == leaves


def test_a_dry_run_holds_a_layer_to_the_shape_that_it_declares() -> None:
    with pytest.raises(ShapeError, match=r"it makes \(4, 8\), where \(4, 9\) would be right"):
        Net(Network({"x": ()}, (Doubled(wrong=1),)), [(4,)], [False], dry=True)


def test_a_layer_may_not_change_how_many_samples_there_are() -> None:
    class Half(Silent):
        def module(self, shape: tuple[int, ...]) -> Any:
            return torch.nn.Unflatten(0, (2, 2))

    for dry in (True, False):
        with pytest.raises(ShapeError, match="of 4 samples it makes"):
            Net(Network({"x": ()}, (Half(),)), [(4,)], [False], dry=dry)


def test_a_layer_that_says_nothing_of_how_it_is_computed() -> None:
    class Empty(Layer):
        kind: Any = "empty"

    with pytest.raises(ShapeError, match="'empty' has no module"):
        Net(Network({"x": ()}, (Empty(),)), [(4,)], [False], dry=True)


class Scaled(Layer):
    """Reads another input of the network: v times a learned function of it."""

    kind: Any = "scaled"
    by: str = "s"

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.by,)

    def output_shape(self, shape: tuple[int, ...], by: tuple[int, ...]) -> tuple[int, ...]:
        return shape

    def module(self, shape: tuple[int, ...], by: tuple[int, ...]) -> Any:
        return torch.nn.ModuleDict({"gain": torch.nn.Linear(by[0], shape[0])})

    def forward(self, module: Any, x: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
        return x * module["gain"](by)


def test_a_layer_may_read_another_input() -> None:
    network = Network({"x": (), "s": (L.Linear(6),)}, (Scaled(), L.Skip((Scaled(),))))
    assert network.joined == ("x",)
    for dry in (True, False):
        net = Net(network, [(4,), (2,)], [False, False], dry=dry)
        assert net.leaves[""] == (8,)
        assert "layers.1.layers.0.gain.weight" in net.state_dict()
    initialize(net, network, 0)
    x, s = torch.rand(3, 4), torch.rand(3, 2)
    gain = net.layers.get_submodule("0.gain")
    once = x * gain(net.inputs["s"].get_submodule("0")(s))
    assert torch.equal(net(x, s)[:, :4], once)


def test_a_layer_reads_inputs_that_there_are() -> None:
    from ganzoo.errors import SpecError

    with pytest.raises(SpecError, match=r"layers.0.by: no input 't'.*'s', 'x'"):
        Network({"x": (), "s": ()}, (Scaled(by="t"),))
