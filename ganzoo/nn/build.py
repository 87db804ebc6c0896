"""Networks from a Spec: made, checked, and given their first weights.

`build(spec)` runs all expressions of a Spec once on the meta device, where tensors
have shapes and no numbers. Each network is made when it is first called, from the
shapes that arrive; a mistake is reported with the expression and the layer at fault.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ganzoo.errors import ShapeError
from ganzoo.nn.interpreter import Evaluator
from ganzoo.nn.modules import MAX_NUMBERS, Net, Shape, example, shape_text
from ganzoo.spec.draws import Label, tensor_shape
from ganzoo.spec.network import Default, Gaussian, He, Network, Xavier
from ganzoo.spec.spec import Spec


def build(spec: Spec, *, published: bool = False) -> dict[str, Net]:
    """The networks of `spec` on the meta device (no memory, no weights yet), all shapes checked.

    Args:
        published: make only the networks that the tasks need, with shapes in closed form, for
            speed; a Spec that was trained has been dry-run before.

    Raises:
        ShapeError: with the path of the layer or of the expression at fault.
        PluginError: nobody here knows a word of the Spec.
    """
    if not published:
        spec.complete()
    networks: dict[str, Net] = {}

    def call(name: str, values: Sequence[Tensor], output: str | None) -> Tensor:
        for word, value in zip(spec.networks[name].inputs, values, strict=True):
            if not isinstance(value, Tensor):
                raise ShapeError(f"{name}: its input {word!r} is {value!r}, a plain number")
        shapes = [tuple(value.shape[1:]) for value in values]
        if name not in networks:
            labels = [value.dtype == torch.int64 for value in values]
            try:
                networks[name] = Net(spec.networks[name], shapes, labels, dry=not published)
            except ShapeError as error:
                raise ShapeError(
                    [(f"networks.{name}.{path}", text) for path, text in error.problems]
                ) from None
        net = networks[name]
        if net.shapes != tuple(shapes):
            raise ShapeError(
                f"{name} was first called with {', '.join(map(shape_text, net.shapes))}, "
                f"and here gets {', '.join(map(shape_text, shapes))}"
            )
        if published:
            return example(net.leaves[output or ""])
        return net(*values, outputs=(output or "",))

    for name, draw in spec.draws.items():
        if math.prod(tensor_shape(draw)) > MAX_NUMBERS:
            size = shape_text(tensor_shape(draw))
            raise ShapeError([(f"draws.{name}", f"{size}; at most {MAX_NUMBERS:,} numbers")])
    draws = {
        name: example(tensor_shape(draw), isinstance(draw, Label))
        for name, draw in spec.draws.items()
    }

    def noise(batch: int) -> Tensor:
        return torch.empty(batch, device="meta")

    evaluate = Evaluator(spec, call, draws, noise)
    for path, text in spec.expressions():
        if path.startswith("let.") or (published and not path.startswith("tasks.")):
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
                [(path, f"a loss is one number, and {text} is {shape_text(shape)}; use mean(...)")]
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
            [
                (
                    path,
                    f"a score is one number an image, and this is {shape_text(shape[1:])} for each",
                )
            ]
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
