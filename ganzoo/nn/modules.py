"""Modules: networks assembled from the declarations of their layers, with every size inferred.

A network is built for the shapes of its inputs, layer by layer. The output shape of a layer comes
in closed form from its declaration. A dry run also sends tensors without numbers (torch's meta
device) through each module, and compares the two. Otherwise no tensor is made, since the first one
costs a second of imports, which loading a published model should not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from ganzoo.errors import PluginError, ShapeError, choices
from ganzoo.nn.convolution import Convolutions
from ganzoo.nn.processes import AsOne
from ganzoo.nn.work import Work, of_layer
from ganzoo.spec import layers as L
from ganzoo.spec.latex import layer_text
from ganzoo.spec.layers.join import Join, join, joined_shape
from ganzoo.spec.layers.layer import Layer, Shape
from ganzoo.spec.layers.weights import Weight
from ganzoo.spec.network import Network

Named = TypeVar("Named")
DRY_BATCH = 4
"""Samples in a dry run: more than one, for batch norm."""
MAX_NUMBERS = 100_000_000
"""In one sample, anywhere in a network: 400 MB, where a picture of 1024x1024 has 3 million."""
MAX_LAYERS = 5_000
"""In one network, including repeated ones."""
SHAPE_FAULTS = (RuntimeError, ValueError, TypeError, IndexError, AttributeError, AssertionError)
"""Errors that torch raises, in one version or another, for tensors that do not fit together."""


# ----------------------------------------------------------------------------- layers


class Row(nn.Module):
    """Layers in a row. Their paths are those of the Spec: `layers.2.weight`."""

    def __init__(self, layers: Sequence[Layer], modules: Sequence[nn.Module]) -> None:
        super().__init__()
        for index, module in enumerate(modules):
            self.add_module(str(index), module)
        self.steps = tuple(
            (module, _in_context(layer)) for layer, module in zip(layers, modules, strict=True)
        )

    def forward(
        self,
        x: Tensor,
        inputs: Mapping[str, Tensor],
        taps: dict[str, Tensor],
        end: int | None = None,
    ) -> Tensor:
        """The output of the last layer, or of the one before `end`; `taps` collects tapped
        values."""
        for module, in_context in self.steps[:end]:
            x = module(x, inputs, taps) if in_context else module(x)
        return x


def _in_context(layer: Layer) -> bool:
    """Whether its module is also called with the inputs and taps of the network."""
    return bool(layer.rows or layer.reads) or isinstance(layer, L.Tap)


def _at_work(layer: Layer, module: nn.Module, rows: Mapping[str, Row]) -> nn.Module:
    """`module`, changed so that calling it does what `layer` declares.

    Some layers are just a torch module. Others define in `forward` what they do with their weights,
    or hold rows of layers: their module becomes an instance of a class whose `forward` is the
    layer's, so that weight keys, hooks and printed models are those of any other module.
    """
    if isinstance(layer, L.Tap):
        module = Tap(layer.name, rows["through"] if layer.through else None)
    elif isinstance(layer, L.Repeat):
        module = Repeat(rows.values())
    elif _in_context(layer) or layer.computes:
        for key, row in rows.items():
            module.add_module(key, row)
        kind = cast("Any", type(layer))
        module.__class__ = _class(kind, type(module), _in_context(layer))
    module._layer = layer  # type: ignore[assignment]
    return module


@cache
def _class(layer: type[Layer], base: type[nn.Module], in_context: bool) -> type[nn.Module]:
    def plain(self: Any, x: Tensor) -> Tensor:
        return self._layer.forward(self, x)

    def with_context(
        self: Any, x: Tensor, inputs: Mapping[str, Tensor], taps: dict[str, Tensor]
    ) -> Tensor:
        layer: Layer = self._layer
        ends = [
            self._modules[key](_named(start, inputs, taps) if start else x, inputs, taps)
            for key, start in layer.rows.items()
        ]
        return layer.forward(self, x, *ends, *(_named(name, inputs, taps) for name in layer.reads))

    forward = with_context if in_context else plain
    shown = {"extra_repr": lambda self: layer_text(self._layer)} if base is nn.Module else {}
    members = {"forward": forward, "__module__": __name__, **shown}
    return cast("type[nn.Module]", type(layer.__name__, (base,), members))


def _named(name: str, inputs: Mapping[str, Named], taps: Mapping[str, Named]) -> Named:
    """An input of the network, or a tapped value."""
    return inputs[name] if name in inputs else taps[name]


class Tap(nn.Module):
    def __init__(self, name: str, through: Row | None = None) -> None:
        super().__init__()
        self.name = name
        if through is not None:
            self.through = through

    def forward(self, x: Tensor, inputs: Mapping[str, Tensor], taps: dict[str, Tensor]) -> Tensor:
        through = self._modules.get("through")
        taps[self.name] = x if through is None else through(x, inputs, taps)
        return x


class Repeat(nn.Module):
    """Rows run one after the other; the second time counts as `1`."""

    def __init__(self, rows: Iterable[Row]) -> None:
        super().__init__()
        for index, row in enumerate(rows):
            self.add_module(str(index), row)

    def forward(self, x: Tensor, inputs: Mapping[str, Tensor], taps: dict[str, Tensor]) -> Tensor:
        for row in self.children():
            x = row(x, inputs, taps)
        return x


# --------------------------------------------------------------------------- networks


class Net(nn.Module):
    """A network of a Spec as a torch module; made by `ganzoo.nn.build.build`.

    Call it with its inputs in order. `net(x)` returns the end of the body,
    `net(x, outputs=("", "features"))` the end ("") and taps, in that order.
    Under `precision`, it computes in that type and returns float32. With `convolutions`, all
    layers, those of plugins included, are in that context wherever gradients are needed.
    With `several` processes, random numbers are those of a single process, and with `shared_norm`
    batch norm in training uses the statistics of all processes.

    Attributes:
        shapes: input shapes, by input. leaves: output shapes, the end under "" and each tap.
        along: what leaves each layer, by its path in the Spec; of repeated ones the last time.
        work: the cost of computing all of it, for one sample.
    """

    precision: torch.dtype | None = None
    convolutions: Convolutions | None = None
    several = False
    shared_norm = True

    def __init__(
        self, network: Network, shapes: Sequence[Shape], labels: Sequence[int], *, dry: bool
    ) -> None:
        super().__init__()
        self.names = tuple(network.inputs)
        self.joined = network.joined
        self.join: Join = network.join
        self.shapes = tuple(shapes)
        assembler = _Assembler(dry, network.weight)
        values = {
            name: _Value(shape, label, example(shape, label) if dry else None)  # type: ignore[reportArgumentType]
            for name, shape, label in zip(self.names, shapes, labels, strict=True)
        }
        self.inputs = nn.ModuleDict()
        for name, branch in network.inputs.items():
            module, values[name] = assembler.row(branch, values[name], {}, f"inputs.{name}")
            self.inputs[name] = module
        # a body that starts without an input needs the number of samples
        begin = self.joined or self.names[:1]
        try:
            start = assembler.join([values[name] for name in begin], self.join)
        except SHAPE_FAULTS as error:
            shapes_ = [values[name].shape for name in self.joined]
            message = f"inputs of {shapes_} cannot be joined: {first_line(error)}"
            raise ShapeError([("join", message)]) from None
        self.layers, end = assembler.row(network.layers, start, values, "layers")
        self.leaves: dict[str, Shape] = {
            name: value.shape for name, value in {**assembler.taps, "": end}.items()
        }
        self.along = assembler.along
        held = assembler.held + sum(map(math.prod, shapes))
        self.work = assembler.work.holding(held)
        # reading only a tap stops there, unless it lies inside a block
        self._ends = {
            layer.name: index + 1
            for index, layer in enumerate(network.layers)
            if isinstance(layer, L.Tap)
        }

    def matrices(self) -> dict[str, Tensor]:
        """The weights of its linear maps and convolutions by path, each (outputs, inputs)."""
        found: dict[str, Tensor] = {}
        for path, module in self.named_modules():
            weight = getattr(module, "weight", None)
            if not isinstance(weight, Tensor) or isinstance(module, nn.Embedding):
                continue
            if isinstance(module, nn.ConvTranspose2d):
                weight = weight.transpose(0, 1)
            if weight.ndim >= 2:
                found[path] = weight.flatten(1)
        return found

    def forward(self, *values: Tensor, outputs: tuple[str, ...] = ("",)) -> Any:
        if self.several and self.training:
            with AsOne(self.shared_norm):
                return self._forward(values, outputs)
        return self._forward(values, outputs)

    def _forward(self, values: Sequence[Tensor], outputs: tuple[str, ...]) -> Any:
        if self.convolutions and torch.is_grad_enabled():
            with self.convolutions:
                return self._run_in_precision(values, outputs)
        return self._run_in_precision(values, outputs)

    def _run_in_precision(self, values: Sequence[Tensor], outputs: tuple[str, ...]) -> Any:
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
        x = join([named[name] for name in self.joined or self.names[:1]], self.join)
        if outputs == ("",):
            return self.layers(x, named, taps)
        if "" in outputs or any(name not in self._ends for name in outputs):
            taps[""] = self.layers(x, named, taps)
        else:
            self.layers(x, named, taps, max(self._ends[name] for name in outputs))
        return taps[outputs[0]] if len(outputs) == 1 else tuple(taps[name] for name in outputs)


def example(shape: Shape, label: bool = False, device: str = "meta") -> Tensor:
    """A batch of that shape: on the meta device without numbers, else one zero, expanded."""
    kind = torch.int64 if label else torch.get_default_dtype()
    if device == "meta":
        return torch.empty((DRY_BATCH, *shape), dtype=kind, device=device)
    return torch.zeros((), dtype=kind).expand(DRY_BATCH, *shape)


@dataclass(frozen=True)
class _Value:
    """What arrives at a layer: its shape, the classes of labels, and in a dry run a tensor."""

    shape: Shape
    label: int = 0
    tensor: Tensor | None = None


class _Assembler:
    """Builds the modules of layers for their input shapes; `dry` also runs each on the meta
    device."""

    def __init__(self, dry: bool, weight: Weight | None = None) -> None:
        self.dry, self.weight = dry, weight
        self.taps: dict[str, _Value] = {}
        self.along: dict[str, Shape] = {}
        self.work, self.held, self.count = Work(), 0, 0

    def row(
        self, layers: Sequence[Layer], x: _Value, inputs: Mapping[str, _Value], path: str
    ) -> tuple[Row, _Value]:
        """The modules, and the output of the last one; a ShapeError names the one at fault."""
        modules: list[nn.Module] = []
        before: Layer | None = None
        for index, layer in enumerate(layers):
            here, shape = f"{path}.{index}", x.shape
            try:
                module, x = self._one(layer, x, inputs, here)
            except ShapeError:
                raise
            except SHAPE_FAULTS as error:
                what = f"{layer_text(layer)} cannot take {shape_text(shape)}"
                raise ShapeError([(here, f"{what}: {first_line(error)}")]) from None
            self.along[here] = x.shape
            if layer.overwrites and before is not None and before.overwritable:
                module.inplace = True  # type: ignore[assignment]
            modules.append(module)
            before = layer
        return Row(layers, modules), x

    def _one(
        self, layer: Layer, x: _Value, inputs: Mapping[str, _Value], here: str
    ) -> tuple[nn.Module, _Value]:
        self.count += 1
        if self.count > MAX_LAYERS:
            raise ShapeError([(here, f"the network has more than {MAX_LAYERS:,} layers")])
        rows: dict[str, Row] = {}
        values = [x]
        fields = type(layer).model_fields
        if self.weight is not None and "weight" in fields and getattr(layer, "weight") is None:  # noqa: B009
            layer = layer.model_copy(update={"weight": self.weight})
        wrapped = getattr(layer, "weight", None)
        if isinstance(wrapped, Weight) and not wrapped.zero and getattr(layer, "gain", 1) == 0:
            raise ValueError(
                f"weights that begin at zero (gain 0) have no {wrapped.kind.replace('_', ' ')}, "
                "and would never learn; give a gain, or `weight: plain`"
            )
        if isinstance(layer, L.Repeat):
            end = x
            for time in range(layer.times):
                rows[str(time)], end = self.row(layer.layers, end, inputs, f"{here}.layers")
            values.append(end)
        else:
            for key, start in layer.rows.items():
                begins = _named(start, inputs, self.taps) if start else x
                rows[key], end = self.row(getattr(layer, key), begins, inputs, f"{here}.{key}")
                values.append(end)
        values += [_named(name, inputs, self.taps) for name in layer.reads]
        if type(layer).output_shape is not Layer.output_shape:
            _check_kinds(layer, values)
        shape = layer.output_shape(*(value.shape for value in values))
        if shape is not None:
            _check_size(layer, x.shape, shape, here)
        with torch.device("meta"):
            module = layer.module(*(value.shape for value in values))
        _check_first_values(layer, module)
        own = None if shape is None else of_layer(layer, module, [v.shape for v in values], shape)
        module = _at_work(layer, module, rows)
        tap = isinstance(layer, L.Tap)
        passes = layer.takes == "either" and (tap or not rows) and not layer.starts
        label = x.label if passes else 0
        tensor = None
        if self.dry or shape is None:
            tensor = _run(layer, module, values)
            found = tuple(tensor.shape)
            if shape is None:
                shape = found[1:]
                _check_size(layer, x.shape, shape, here)
            if found != (DRY_BATCH, *shape):
                raise ValueError(
                    f"of {DRY_BATCH} samples it makes {found}, where "
                    f"{(DRY_BATCH, *shape)} would be right"
                )
        own = own or of_layer(layer, module, [value.shape for value in values], shape)
        self.work = self.work.then(own)
        if rows:  # the input is kept until they are done
            self.held += math.prod(x.shape)
        left = _Value(shape, label, tensor if self.dry else None)
        if tap:
            self.taps[layer.name] = values[1]
            self.held += math.prod(values[1].shape)
        return module, left

    def join(self, values: Sequence[_Value], how: Join) -> _Value:
        """The `join` of the values."""
        if len(values) == 1:
            return values[0]
        if any(value.label for value in values):
            raise ValueError("a label is not a vector; one_hot or embedding turns it into one")
        shape = joined_shape([value.shape for value in values], how)
        tensor = join([_tensor(value) for value in values], how) if self.dry else None
        return _Value(shape, 0, tensor)


def _tensor(value: _Value) -> Tensor:
    return example(value.shape, value.label) if value.tensor is None else value.tensor  # type: ignore[reportArgumentType]


def _run(layer: Layer, module: nn.Module, values: Sequence[_Value]) -> Tensor:
    """The output of a layer whose rows have run."""
    tensors = [_tensor(value) for value in values]
    with torch.no_grad():
        return layer.forward(module, *tensors) if _in_context(layer) else module(*tensors)


def _check_kinds(layer: Layer, values: Sequence[_Value]) -> None:
    """ValueError where labels arrive that are taken for numbers, or the other way round."""
    first, *others = values
    if layer.takes == "labels" and not first.label:
        raise ValueError("takes labels, whole numbers that count from 0")
    known = getattr(layer, "classes", first.label)
    if layer.takes == "labels" and first.label > known:
        raise ValueError(f"labels of {first.label} classes arrive, and it has {known}")
    ends = [] if isinstance(layer, L.Tap) else others  # a tap only names them
    if (first.label and layer.takes == "numbers") or any(value.label for value in ends):
        raise ValueError("a label is not a vector; one_hot or embedding turns it into one")


def _check_size(layer: Layer, before: Shape, shape: Shape, here: str) -> None:
    """ShapeError where a layer has no output, or a larger one than can be computed."""
    if any(size < 1 for size in shape):
        raise ShapeError([(here, f"{layer_text(layer)} leaves nothing of {shape_text(before)}")])
    if math.prod(shape) > MAX_NUMBERS:
        what = f"{layer_text(layer)} makes {shape_text(shape)} of each sample"
        raise ShapeError([(here, f"{what}; at most {MAX_NUMBERS:,} numbers are computed")])


def _check_first_values(layer: Layer, module: nn.Module) -> None:
    """PluginError where a module cannot be initialized, or its state would not be saved whole."""
    for part in module.modules():
        own = [*part.parameters(recurse=False), *part.buffers(recurse=False)]
        begins = type(layer).begin is not Layer.begin
        if own and not begins and not callable(getattr(part, "reset_parameters", None)):
            raise PluginError(
                f"layer {layer.kind!r}: {type(part).__name__} has weights or buffers, and no "
                "reset_parameters() that gives them their first values; nor has the layer a begin()"
            )
        if part._non_persistent_buffers_set:
            raise PluginError(
                f"layer {layer.kind!r}: {type(part).__name__} has a buffer with persistent=False "
                f"({choices(part._non_persistent_buffers_set)}), which no model folder would hold"
            )


def shape_text(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "a label"


def first_line(error: Exception) -> str:
    return str(error).split("\n")[0]
