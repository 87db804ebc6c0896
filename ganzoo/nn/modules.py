"""Modules: the torch side of layers and networks, with every size inferred.

A network is assembled for the shapes that arrive at its inputs, layer by layer. A dry run
sends tensors without numbers (torch's meta device) through each layer, and reports the
layer at fault; without one the shapes come from closed forms, since the first such tensor
costs a second of imports, and loading a published model should not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganzoo.errors import PluginError, ShapeError, choices
from ganzoo.spec import layers as L
from ganzoo.spec.latex import layer_text
from ganzoo.spec.network import Network

Shape = tuple[int, ...]
DRY_BATCH = 4
"""Samples in a dry run: more than one, for batch norm."""
MAX_NUMBERS = 100_000_000
"""In one sample, anywhere in a network: 400 MB, where a picture of 1024x1024 has 3 million."""
SHAPE_FAULTS = (RuntimeError, ValueError, TypeError, IndexError, AttributeError, AssertionError)
"""What torch, in one version or another, raises for tensors that do not fit together."""


# ----------------------------------------------------------------------------- layers


class Reshape(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        x = x.reshape(-1, *self.shape)
        # convolutions keep the layout that arrives, and are faster with channels last
        return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


class Linear(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        if input.ndim != 4 or input.is_contiguous() or self.weight.numel() > input.numel():
            return super().forward(input.flatten(1))
        # a map with channels last: its gradient shall be laid out alike, or the layers before
        # it crawl over two layouts at once; so the few weights are permuted and not the map
        weight = self.weight.unflatten(1, input.shape[1:]).permute(0, 2, 3, 1).flatten(1)
        return F.linear(input.permute(0, 2, 3, 1).flatten(1), weight, self.bias)


class Maxout(nn.Module):
    def __init__(self, features: int, units: int, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.linear = nn.Linear(features, units * pieces)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.flatten(1)).unflatten(1, (self.pieces, -1)).amax(1)


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


class Dropout(nn.Module):
    """Dropout from 16 random bits a number on the CPU, where torch's own draws a whole float.

    The rate is rounded to 1/65536, and the rest is scaled by the rounded rate.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.dropped = min(round(rate * 2**16), 2**16 - 1)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.rate)
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        bits = words.view(torch.int16)[: x.numel()].view(x.shape)
        kept = (bits >= self.dropped - 2**15).to(x.dtype)
        return x * kept.mul_(2**16 / (2**16 - self.dropped))


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
    L.Dropout: lambda layer, shape: Dropout(layer.rate),
    L.GaussianNoise: lambda layer, shape: GaussianNoise(layer.std),
    L.OneHot: lambda layer, shape: OneHot(layer.classes),
    L.Embedding: lambda layer, shape: nn.Embedding(layer.classes, layer.units),
    L.Tap: lambda layer, shape: Tap(layer.name),
}


# --------------------------------------------------------------------------- networks


class Net(nn.Module):
    """A network of a Spec as a torch module; made by `ganzoo.nn.build.build`.

    Call it with its inputs in order. `net(x)` gives the end of the body,
    `net(x, outputs=("", "features"))` the end ("") and taps, in that order.
    Under `precision`, it computes in that type and returns float32.

    Attributes:
        shapes: what arrives, by input. leaves: what leaves, the end under "" and each tap.
    """

    precision: torch.dtype | None = None

    def __init__(
        self, network: Network, shapes: Sequence[Shape], labels: Sequence[bool], *, dry: bool
    ) -> None:
        super().__init__()
        self.names = tuple(network.inputs)
        self.joined = network.joined
        self.join = network.join
        self.shapes = tuple(shapes)
        assembler = _Assembler(dry)
        values = {
            name: example(shape, label)
            for name, shape, label in zip(self.names, shapes, labels, strict=True)
        }
        self.inputs = nn.ModuleDict()
        for name, branch in network.inputs.items():
            module, values[name] = assembler.assemble(branch, values[name], {}, f"inputs.{name}")
            self.inputs[name] = module
        try:
            start = assembler.join([values[name] for name in self.joined], self.join)
        except SHAPE_FAULTS as error:
            shapes_ = [tuple(values[name].shape[1:]) for name in self.joined]
            message = f"inputs of {shapes_} cannot be joined: {error}"
            raise ShapeError([("join", message)]) from None
        self.layers, end = assembler.assemble(network.layers, start, values, "layers")
        self.leaves: dict[str, Shape] = {
            name: tuple(value.shape[1:]) for name, value in {**assembler.taps, "": end}.items()
        }
        # reading only a tap stops there, unless it lies inside a block
        self._ends = {
            layer.name: index + 1
            for index, layer in enumerate(network.layers)
            if isinstance(layer, L.Tap)
        }

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


def example(shape: Shape, label: bool = False) -> Tensor:
    if label:
        return torch.zeros((DRY_BATCH, *shape), dtype=torch.int64, device="meta")
    return torch.empty((DRY_BATCH, *shape), device="meta")


class _Assembler:
    """Makes the modules of layers for what arrives.

    `dry` runs each module on the meta device; else closed forms say what leaves it.
    """

    def __init__(self, dry: bool) -> None:
        self.dry = dry
        self.taps: dict[str, Tensor] = {}

    def assemble(
        self, layers: Sequence[L.Layer], x: Tensor, inputs: Mapping[str, Tensor], path: str
    ) -> tuple[Layers, Tensor]:
        """The modules, and what leaves the last of them; a ShapeError names the one at fault."""
        modules: list[nn.Module] = []
        before: L.Layer | None = None
        for index, layer in enumerate(layers):
            here, shape = f"{path}.{index}", tuple(x.shape[1:])
            try:
                module, x = self._one(layer, x, inputs, here)
            except ShapeError:
                raise
            except SHAPE_FAULTS as error:
                what = f"{layer_text(layer)} cannot take {shape_text(shape)}"
                raise ShapeError([(here, f"{what}: {first_line(error)}")]) from None
            if any(size < 1 for size in x.shape):
                what = f"{layer_text(layer)} leaves nothing of {shape_text(shape)}"
                raise ShapeError([(here, what)])
            if math.prod(x.shape[1:]) > MAX_NUMBERS:
                what = f"{layer_text(layer)} makes {shape_text(x.shape[1:])} of each sample"
                raise ShapeError([(here, f"{what}; at most {MAX_NUMBERS:,} numbers are computed")])
            if isinstance(module, nn.ReLU | nn.LeakyReLU) and isinstance(before, _OVERWRITABLE):
                module.inplace = True
            modules.append(module)
            before = layer
        return Layers(modules), x

    def _one(
        self, layer: L.Layer, x: Tensor, inputs: Mapping[str, Tensor], here: str
    ) -> tuple[nn.Module, Tensor]:
        match layer:
            case L.Inject():
                through, inner = self.assemble(
                    layer.through, inputs[layer.input], inputs, f"{here}.through"
                )
                module: nn.Module = Inject(layer.input, through, layer.join)
                leaves = None if self.dry else self.join([x, inner], layer.join)
            case L.Residual():
                body, leaves = self.assemble(layer.layers, x, inputs, f"{here}.layers")
                short, _ = self.assemble(layer.shortcut, x, inputs, f"{here}.shortcut")
                module = Residual(body, short)
            case L.Skip():
                body, inner = self.assemble(layer.layers, x, inputs, f"{here}.layers")
                module = Skip(body)
                leaves = None if self.dry else self.join([x, inner], "concatenate")
            case _:
                make = _MODULES.get(type(layer))
                shape = tuple(x.shape[1:])
                with torch.device("meta"):
                    module = make(layer, shape) if make else _strange(layer, shape)
                found = None if self.dry else _leaves(layer, module, shape)
                leaves = example(found) if found else None
        if leaves is not None and not self.dry:
            if isinstance(layer, L.Tap):
                self.taps[layer.name] = leaves
            return module, leaves
        with torch.no_grad():
            if isinstance(module, _IN_CONTEXT):
                return module, module(x, inputs, self.taps)
            return module, module(x)

    def join(self, values: Sequence[Tensor], how: str) -> Tensor:
        """What `join` of the values would be."""
        if self.dry or len(values) == 1:
            return join(values, how)
        maps = [value for value in values if value.ndim == 4]
        if how == "add":
            return maps[0] if maps else values[0]
        # vectors beside maps are tiled, each number a channel
        channels = sum(
            value.shape[1] if value.ndim == 4 or not maps else math.prod(value.shape[1:])
            for value in values
        )
        rest = (maps[0] if maps else values[0]).shape[2:]
        return example((channels, *rest))


_OVERWRITABLE = (L.Linear, L.Conv, L.Deconv, L.BatchNorm)
"""Layers whose output nobody else reads, their own backward pass among others."""


def _leaves(layer: L.Layer, module: Any, shape: Shape) -> Shape | None:
    """The shape that leaves a layer of the core, in closed form; None for a plugin's."""
    match layer:
        case L.Linear() | L.Maxout() | L.Embedding():
            return (layer.units,)
        case L.OneHot():
            return (layer.classes,)
        case L.Conv(channels=channels, kernel=kernel, stride=stride):
            pad = module.padding[0]
            return (channels, *((n + 2 * pad - kernel) // stride + 1 for n in shape[1:]))
        case L.Deconv(channels=channels, kernel=kernel, stride=stride):
            extra = module.output_padding[0] - 2 * module.padding[0]
            return (channels, *((n - 1) * stride + kernel + extra for n in shape[1:]))
        case L.Reshape():
            return layer.shape
        case L.Flatten():
            return (math.prod(shape),)
        case L.Crop(size=size):
            return (*shape[:-2], size, size)
        case L.Upsample(factor=factor):
            return (shape[0], *(n * factor for n in shape[1:]))
        case L.Downsample(factor=factor) | L.MaxPool(factor=factor):
            return (shape[0], *(n // factor for n in shape[1:]))
        case L.GlobalPool():
            return shape[:1]
        case L.MinibatchStd():
            return (shape[0] + 1, *shape[1:])
        case _:
            return shape if type(layer) in _MODULES else None


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
        if part._non_persistent_buffers_set:
            raise PluginError(
                f"layer {layer.kind!r}: {type(part).__name__} has a buffer with persistent=False "
                f"({choices(part._non_persistent_buffers_set)}), which no model folder would hold"
            )
    return module


def shape_text(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "a label"


def first_line(error: Exception) -> str:
    return str(error).split("\n")[0]
