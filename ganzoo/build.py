"""Networks: from a Spec to torch modules, with every size inferred.

`build(spec)` runs all expressions of a Spec once on the meta device, where tensors
have shapes and no numbers. Each network is made when it is first called, from the
shapes that arrive; a mistake is reported with the expression and the layer at fault.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganzoo.errors import PluginError, ShapeError, SpecError
from ganzoo.spec import expression as ex
from ganzoo.spec import layers as L
from ganzoo.spec import vocabulary
from ganzoo.spec.draws import Label, tensor_shape
from ganzoo.spec.mathematics import layer_text
from ganzoo.spec.network import Default, Gaussian, He, Network, Xavier
from ganzoo.spec.spec import Spec

Shape = tuple[int, ...]
DRY_BATCH = 4
"""Samples in a dry run: more than one, for batch norm."""


# ----------------------------------------------------------------------------- layers


class Reshape(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(-1, *self.shape)


class Linear(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.flatten(1))


class Maxout(nn.Module):
    def __init__(self, features: int, units: int, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.linear = nn.Linear(features, units * pieces)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.flatten(1)).unflatten(1, (-1, self.pieces)).amax(2)


class Crop(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        top, left = (x.shape[-2] - self.size) // 2, (x.shape[-1] - self.size) // 2
        return x[..., top : top + self.size, left : left + self.size]


class GlobalPool(nn.Module):
    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        return x.sum((2, 3)) if self.mode == "sum" else x.mean((2, 3))


class PixelNorm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class MinibatchStd(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        std = (x.var(0, unbiased=False) + 1e-8).sqrt().mean()
        return torch.cat((x, std.expand(x.shape[0], 1, *x.shape[2:])), 1)


class GaussianNoise(nn.Module):
    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        return x + self.std * torch.randn_like(x) if self.training else x


class OneHot(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, label: Tensor) -> Tensor:
        return F.one_hot(label, self.classes).to(torch.get_default_dtype())


class Tap(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: Tensor, inputs: Mapping[str, Tensor], taps: dict[str, Tensor]) -> Tensor:
        taps[self.name] = x
        return x


class Layers(nn.Module):
    """Layers in a row. Their path is that of the Spec: `layers.2.weight`."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        super().__init__()
        for index, module in enumerate(modules):
            self.add_module(str(index), module)
        self._steps = tuple((module, isinstance(module, _IN_CONTEXT)) for module in modules)

    def forward(self, x: Tensor, inputs: Mapping[str, Tensor], taps: dict[str, Tensor]) -> Tensor:
        for module, in_context in self._steps:
            x = module(x, inputs, taps) if in_context else module(x)
        return x


class Inject(nn.Module):
    def __init__(self, name: str, through: Layers, join: str) -> None:
        super().__init__()
        self.name, self.through, self.join = name, through, join

    def forward(self, x: Tensor, inputs: Mapping[str, Tensor], taps: dict[str, Tensor]) -> Tensor:
        return join([x, self.through(inputs[self.name], inputs, taps)], self.join)


class Residual(nn.Module):
    def __init__(self, layers: Layers, shortcut: Layers) -> None:
        super().__init__()
        self.layers, self.shortcut = layers, shortcut

    def forward(self, x: Tensor, inputs: Mapping[str, Tensor], taps: dict[str, Tensor]) -> Tensor:
        return self.layers(x, inputs, taps) + self.shortcut(x, inputs, taps)


class Skip(nn.Module):
    def __init__(self, layers: Layers) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor, inputs: Mapping[str, Tensor], taps: dict[str, Tensor]) -> Tensor:
        return torch.cat((x, self.layers(x, inputs, taps)), 1)


_IN_CONTEXT = (Tap, Inject, Residual, Skip)


def join(values: Sequence[Tensor], how: str) -> Tensor:
    """Values side by side along the channels, or added; vectors beside maps are tiled."""
    if len(values) == 1:
        return values[0]
    maps = [value for value in values if value.ndim == 4]
    if maps:
        space = maps[0].shape[2:]
        values = [
            value if value.ndim == 4 else value.flatten(1)[:, :, None, None].expand(-1, -1, *space)
            for value in values
        ]
    if how == "concatenate":
        return torch.cat(tuple(values), 1)
    return torch.stack(tuple(values)).sum(0)


def _features(shape: Shape) -> int:
    return math.prod(shape)


def _conv(layer: L.Conv, shape: Shape) -> nn.Module:
    padding = (layer.kernel - 1) // 2 if layer.padding is None else layer.padding
    return nn.Conv2d(
        _map(shape), layer.channels, layer.kernel, layer.stride, padding, bias=layer.bias
    )


def _deconv(layer: L.Deconv, shape: Shape) -> nn.Module:
    # size * stride exactly: kernel - stride = 2 * padding - output_padding
    padding, extra = layer.padding, 0
    if padding is None:
        padding = max(0, math.ceil((layer.kernel - layer.stride) / 2))
        extra = max(0, 2 * padding - (layer.kernel - layer.stride))
        if extra >= layer.stride:
            raise ValueError(
                "an even kernel at stride 1 has no exact size; use an odd one, or padding"
            )
    return nn.ConvTranspose2d(
        _map(shape), layer.channels, layer.kernel, layer.stride, padding, extra, bias=layer.bias
    )


def _crop(layer: L.Crop, shape: Shape) -> nn.Module:
    _map(shape)
    if layer.size > min(shape[1:]):
        raise ValueError("it is smaller than the crop")
    return Crop(layer.size)


def _map(shape: Shape) -> int:
    """The channels of a map; a ValueError says what else arrived."""
    if len(shape) != 3:
        raise ValueError(f"takes a map (channels, height, width), not {shape}; use reshape")
    return shape[0]


def _batch_norm(layer: L.BatchNorm, shape: Shape) -> nn.Module:
    kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
    return kind(shape[0], eps=layer.eps, momentum=layer.momentum, affine=layer.affine)


_MODULES: dict[type[L.Layer], Callable[[Any, Shape], nn.Module]] = {
    L.Linear: lambda layer, shape: Linear(_features(shape), layer.units, bias=layer.bias),
    L.Conv: _conv,
    L.Deconv: _deconv,
    L.Maxout: lambda layer, shape: Maxout(_features(shape), layer.units, layer.pieces),
    L.Reshape: lambda layer, shape: Reshape(layer.shape),
    L.Flatten: lambda layer, shape: nn.Flatten(),
    L.Crop: _crop,
    L.Upsample: lambda layer, shape: nn.Upsample(
        scale_factor=layer.factor,
        mode=layer.mode,
        align_corners=None if layer.mode == "nearest" else False,
    ),
    L.Downsample: lambda layer, shape: nn.AvgPool2d(layer.factor),
    L.MaxPool: lambda layer, shape: nn.MaxPool2d(layer.factor),
    L.GlobalPool: lambda layer, shape: GlobalPool(layer.mode),
    L.BatchNorm: _batch_norm,
    # one group: normalised over all of a sample, gain and bias for each channel
    L.LayerNorm: lambda layer, shape: nn.GroupNorm(1, shape[0], eps=layer.eps),
    L.InstanceNorm: lambda layer, shape: nn.InstanceNorm2d(
        _map(shape), eps=layer.eps, affine=layer.affine
    ),
    L.PixelNorm: lambda layer, shape: PixelNorm(),
    L.MinibatchStd: lambda layer, shape: MinibatchStd(),
    L.ReLU: lambda layer, shape: nn.ReLU(),
    L.LeakyReLU: lambda layer, shape: nn.LeakyReLU(layer.slope),
    L.ELU: lambda layer, shape: nn.ELU(),
    L.GELU: lambda layer, shape: nn.GELU(),
    L.SiLU: lambda layer, shape: nn.SiLU(),
    L.Tanh: lambda layer, shape: nn.Tanh(),
    L.Sigmoid: lambda layer, shape: nn.Sigmoid(),
    L.Softplus: lambda layer, shape: nn.Softplus(),
    L.Dropout: lambda layer, shape: nn.Dropout(layer.rate),
    L.GaussianNoise: lambda layer, shape: GaussianNoise(layer.std),
    L.OneHot: lambda layer, shape: OneHot(layer.classes),
    L.Embedding: lambda layer, shape: nn.Embedding(layer.classes, layer.units),
    L.Tap: lambda layer, shape: Tap(layer.name),
}


# --------------------------------------------------------------------------- networks


class Net(nn.Module):
    """A network of a Spec as a torch module; made by `build`.

    Call it with its inputs in order. `net(x)` gives the end of the body,
    `net(x, outputs=("", "features"))` the end ("") and taps, in that order.
    Under `precision`, it computes in that type and returns float32.
    """

    precision: torch.dtype | None = None

    def __init__(self, network: Network, shapes: Sequence[Shape], labels: Sequence[bool]) -> None:
        super().__init__()
        self.names = tuple(network.inputs)
        self.joined = network.joined
        self.join = network.join
        self.shapes = tuple(shapes)
        values = {
            name: _example(shape, label)
            for name, shape, label in zip(self.names, shapes, labels, strict=True)
        }
        self.inputs = nn.ModuleDict()
        taps: dict[str, Tensor] = {}
        for name, branch in network.inputs.items():
            module, values[name] = _assemble(branch, values[name], {}, taps, f"inputs.{name}")
            self.inputs[name] = module
        try:
            start = join([values[name] for name in self.joined], self.join)
        except (RuntimeError, IndexError) as error:
            shapes_ = [tuple(values[name].shape[1:]) for name in self.joined]
            raise ShapeError([("join", f"inputs of {shapes_} cannot be joined: {error}")]) from None
        self.layers, _ = _assemble(network.layers, start, values, taps, "layers")
        # reading only a tap stops there, unless it lies inside a block
        ends = {
            layer.name: index + 1
            for index, layer in enumerate(network.layers)
            if isinstance(layer, L.Tap)
        }
        self._ends = ends

    def forward(self, *values: Tensor, outputs: tuple[str, ...] = ("",)) -> Any:
        if self.precision is None:
            return self._run(values, outputs)
        with torch.autocast(values[0].device.type, self.precision):
            result = self._run(values, outputs)
        if isinstance(result, tuple):
            return tuple(value.float() for value in result)
        return result.float()

    def _run(self, values: Sequence[Tensor], outputs: tuple[str, ...]) -> Any:
        taps: dict[str, Tensor] = {}
        named = {
            name: branch(value, {}, taps)
            for (name, branch), value in zip(self.inputs.items(), values, strict=True)
        }
        x = join([named[name] for name in self.joined], self.join)
        if outputs == ("",):
            return self.layers(x, named, taps)
        if "" in outputs or any(name not in self._ends for name in outputs):
            taps[""] = self.layers(x, named, taps)
        else:
            last = max(self._ends[name] for name in outputs)
            for module, in_context in self.layers._steps[:last]:  # type: ignore[reportPrivateUsage]
                x = module(x, named, taps) if in_context else module(x)
        return taps[outputs[0]] if len(outputs) == 1 else tuple(taps[name] for name in outputs)


def _example(shape: Shape, label: bool = False) -> Tensor:
    if label:
        return torch.zeros((DRY_BATCH, *shape), dtype=torch.int64, device="meta")
    return torch.empty((DRY_BATCH, *shape), device="meta")


def _assemble(
    layers: Sequence[L.Layer],
    x: Tensor,
    inputs: Mapping[str, Tensor],
    taps: dict[str, Tensor],
    path: str,
) -> tuple[Layers, Tensor]:
    """The modules of `layers` for what arrives, and what leaves; on the meta device."""
    modules: list[nn.Module] = []
    for index, layer in enumerate(layers):
        here = f"{path}.{index}"
        shape = tuple(x.shape[1:])
        try:
            match layer:
                case L.Inject():
                    through, _ = _assemble(
                        layer.through, inputs[layer.input], inputs, taps, f"{here}.through"
                    )
                    module: nn.Module = Inject(layer.input, through, layer.join)
                case L.Residual():
                    inner, _ = _assemble(layer.layers, x, inputs, taps, f"{here}.layers")
                    short, _ = _assemble(layer.shortcut, x, inputs, taps, f"{here}.shortcut")
                    module = Residual(inner, short)
                case L.Skip():
                    inner, _ = _assemble(layer.layers, x, inputs, taps, f"{here}.layers")
                    module = Skip(inner)
                case _:
                    make = _MODULES.get(type(layer))
                    with torch.device("meta"):
                        module = make(layer, shape) if make else _strange(layer, shape)
            with torch.no_grad():
                if isinstance(module, _IN_CONTEXT):
                    x = module(x, inputs, taps)
                else:
                    x = module(x)
        except ShapeError:
            raise
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise ShapeError(
                [(here, f"{layer_text(layer)} cannot take {_text(shape)}: {_first(error)}")]
            ) from None
        if 0 in x.shape:
            raise ShapeError([(here, f"{layer_text(layer)} leaves nothing of {_text(shape)}")])
        modules.append(module)
    return Layers(modules), x


def _strange(layer: L.Layer, shape: Shape) -> nn.Module:
    """The module of a plugin's layer, if it can get its first values here."""
    module = layer.module(shape)
    for part in module.modules():
        own = [*part.parameters(recurse=False), *part.buffers(recurse=False)]
        if own and not callable(getattr(part, "reset_parameters", None)):
            raise PluginError(
                f"layer {layer.kind!r}: {type(part).__name__} has weights or buffers, and no "
                "reset_parameters() that gives them their first values"
            )
    return module


def _text(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "a label"


def _first(error: Exception) -> str:
    return str(error).split("\n")[0]


# ---------------------------------------------------------------------------- dry run


class Evaluator:
    """Evaluates expressions of a Spec: names from `values`, networks from `call`.

    The plain meaning of an expression, with no sharing; `ganzoo.plan` makes the fast one.
    """

    def __init__(
        self,
        spec: Spec,
        call: Callable[[str, Sequence[Tensor], str | None], Tensor],
        values: Mapping[str, Tensor],
        noise: Callable[[int], Tensor],
    ) -> None:
        self.spec, self.call, self.noise = spec, call, noise
        self.values = dict(values)

    def __call__(self, text: str) -> Any:
        return self._value(ex.parse(text))

    def _value(self, node: ex.Expression) -> Any:
        match node:
            case ex.Number(value):
                return value
            case ex.Name(name):
                if name not in self.values:
                    self.values[name] = self(self.spec.let[name])
                return self.values[name]
            case ex.Negative(operand):
                return -self._value(operand)
            case ex.Binary(operator, left, right):
                values = (self._value(left), self._value(right))
                try:
                    return BINARY[operator](*values)
                except (RuntimeError, ZeroDivisionError) as error:
                    raise ShapeError(f"{node}, of {_shapes(values)}: {_first(error)}") from None
            case ex.Several(items):
                return tuple(self._value(item) for item in items)
            case ex.Call(name, arguments, output) if name in self.spec.networks:
                return self.call(name, [self._value(a) for a in arguments], output)
            case ex.Call(name, arguments):
                return self._function(node, name, arguments)

    def _function(self, node: ex.Call, name: str, arguments: Sequence[ex.Expression]) -> Any:
        function = vocabulary.function(name)
        assert function is not None, name  # the Spec was validated
        values: list[Any] = []
        for parameter, argument in zip(function.parameters, arguments, strict=False):
            if parameter in function.networks and isinstance(argument, ex.Name):
                network = argument.name
                values.append(lambda *inputs, n=network: self.call(n, inputs, None))
            else:
                values.append(self._value(argument))
        batch = next(iter(self.values.values())).shape[0]
        noise = {key: self.noise(batch) for key in function.noise}
        try:
            return function.load()(*values, **noise)
        except SpecError:
            raise
        except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
            raise ShapeError(f"{node}, of {_shapes(values)}: {_first(error)}") from None


def _shapes(values: Sequence[Any]) -> str:
    return ", ".join(_text(v.shape) if isinstance(v, Tensor) else str(v) for v in values)


def _divide(a: Any, b: Any) -> Any:
    return a / b


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divide,
}


def build(spec: Spec, *, only: Sequence[str] | None = None) -> dict[str, Net]:
    """The networks of `spec` on the meta device (no memory, no weights yet), all shapes checked.

    Args:
        only: build what these networks need (for a model folder: `spec.published`).

    Raises:
        ShapeError: with the path of the layer or of the expression at fault.
    """
    networks: dict[str, Net] = {}

    def call(name: str, values: Sequence[Tensor], output: str | None) -> Tensor:
        for word, value in zip(spec.networks[name].inputs, values, strict=True):
            if not isinstance(value, Tensor):
                raise ShapeError(f"{name}: its input {word!r} is {value!r}, a plain number")
        shapes = [tuple(value.shape[1:]) for value in values]
        if name not in networks:
            labels = [value.dtype == torch.int64 for value in values]
            try:
                networks[name] = Net(spec.networks[name], shapes, labels)
            except ShapeError as error:
                raise ShapeError(
                    [(f"networks.{name}.{path}", text) for path, text in error.problems]
                ) from None
        net = networks[name]
        if net.shapes != tuple(shapes):
            raise ShapeError(
                f"{name} was first called with {', '.join(map(_text, net.shapes))}, "
                f"and here gets {', '.join(map(_text, shapes))}"
            )
        return net(*values, outputs=(output or "",))

    draws = {
        name: _example(tensor_shape(draw), isinstance(draw, Label))
        for name, draw in spec.draws.items()
    }

    def noise(batch: int) -> Tensor:
        return torch.empty(batch, device="meta")

    evaluate = Evaluator(spec, call, draws, noise)
    for path, text in spec.expressions():
        if path.startswith("let."):
            continue
        if only is not None and not (
            path.startswith("tasks.") or spec.networks_in(text) & set(only)
        ):
            continue
        try:
            value = evaluate(text)
        except ShapeError as error:
            raise ShapeError(
                [
                    (sub, f"{message} (called in {path}: {text})") if sub else (path, message)
                    for sub, message in error.problems
                ]
            ) from None
        shape = tuple(value.shape) if isinstance(value, Tensor) else ()
        if ".minimize." in path and shape:
            raise ShapeError(
                [(path, f"a loss is one number, and {text} is {_text(shape)}; use mean(...)")]
            )
        if ".minimize." in path and not isinstance(value, Tensor):
            raise ShapeError([(path, f"{text} is a constant; nothing can be learnt from it")])
        _check_task(spec, path, shape)
    return {name: networks[name] for name in spec.networks if name in networks}


def _check_task(spec: Spec, path: str, shape: Shape) -> None:
    """A score is one number an image."""
    room, name, key = (*path.split("."), "", "")[:3]
    scores = room == "tasks" and key == "output" and spec.tasks[name].kind == "score"
    if scores and math.prod(shape[1:]) != 1:
        raise ShapeError(
            [(path, f"a score is one number an image, and this is {_text(shape[1:])} for each")]
        )


def initialize(net: Net, network: Network, generator_seed: int) -> None:
    """Give the weights of a network their first values, a function of the seed alone."""
    net.to_empty(device="cpu")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator_seed)
        for module in net.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
        if not isinstance(network.init, Default):
            for module in net.modules():
                _initialize(module, network.init)


def _initialize(module: nn.Module, init: Gaussian | Xavier | He | Default) -> None:
    weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
    if isinstance(weight, nn.Parameter):
        if weight.ndim >= 2:
            match init:
                case Gaussian(std=std):
                    nn.init.normal_(weight, 0.0, std)
                case Xavier():
                    nn.init.xavier_uniform_(weight)
                case _:
                    nn.init.kaiming_normal_(weight, a=0.2, nonlinearity="leaky_relu")
        elif isinstance(init, Gaussian) and isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(weight, 1.0, init.std)
    if isinstance(bias, nn.Parameter):
        nn.init.zeros_(bias)


def parameter_count(net: nn.Module) -> int:
    """Trainable numbers in a network."""
    return sum(parameter.numel() for parameter in net.parameters())
