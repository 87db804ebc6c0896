"""Checks of a dry run beside shapes that do not fit together.

A Spec that passes trains, and its model answers all tasks: each task returns what its kind
promises, a gradient of each update reaches the networks that it trains, no sum broadcasts by
accident, and labels are classes that a layer knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from ganzoo.errors import ShapeError
from ganzoo.nn.modules import DRY_BATCH, MAX_NUMBERS, Net, Shape, shape_text
from ganzoo.spec import expression as ex
from ganzoo.spec import vocabulary
from ganzoo.spec.draws import Image
from ganzoo.spec.layers import LAYERS
from ganzoo.spec.schedule import Update
from ganzoo.spec.spec import Spec
from ganzoo.spec.tasks import Task

# ---------------------------------------------------------------------------------- tasks


def check_task(spec: Spec, path: str, text: str, value: Any) -> None:
    """ShapeError unless an expression of a task returns what its kind promises.

    Args:
        path: `tasks.NAME.KEY`. value: its result for a batch, without numbers.
    """
    _, name, key = path.split(".")
    task = spec.tasks[name]
    if not isinstance(value, Tensor):
        _refuse(path, f"{text} is a constant, but a task gives a value for each sample")
    shape = tuple(value.shape)
    if key == "minimize":
        if shape not in ((), (DRY_BATCH,), (DRY_BATCH, 1)):
            _refuse(path, f"{_said(text, shape)}; minimize one number per sample, or a mean")
        return
    if shape[:1] != (DRY_BATCH,):
        what = shape_text(shape) if shape else "one number"
        _refuse(
            path, f"{text} is {what} for the whole batch, but a task gives a value for each sample"
        )
    if value.dtype == torch.int64:
        _refuse(path, f"{text} gives labels, but a task gives numbers")
    wrong = (_wrong_map if key == "map" else _wrong_output)(spec, task, shape[1:])
    if wrong:
        _refuse(path, f"{wrong}, and this is {shape_text(shape[1:])} for each")


def _wrong_output(spec: Spec, task: Task, shape: Shape) -> str:
    """What a task of its kind returns, if this one does not; else empty."""
    match task.kind:
        case "score":
            return "" if shape in ((), (1,), (1, 1, 1)) else "a score is one number an image"
        case "encode":
            return ""
        case "classify":
            return "" if len(shape) == 1 else "classify gives a number for each class, (n, d)"
        case "match":
            return "" if len(shape) == 1 else "match gives a direction, (n, d)"
        case "reconstruct":
            wanted = [draw.shape for draw in _images(spec, task)]
            if not wanted:
                return "reconstruct takes an image, but its expression does not use one"
            fits = shape in wanted
            return "" if fits else f"reconstruct gives an image like its input, {_x(wanted[0])}"
        case "translate":
            if not _images(spec, task):
                return "translate takes an image, but its expression does not use one"
            return "" if len(shape) == 3 else "translate gives images (channels, height, width)"
        case _:
            return "" if len(shape) == 3 else "generate gives images (channels, height, width)"


def _wrong_map(spec: Spec, task: Task, shape: Shape) -> str:
    wanted = [draw.shape[1:] for draw in _images(spec, task)]
    if len(shape) == 3 and (not wanted or shape[1:] in wanted):
        return ""
    return "a map is an image like the input, which says where the strangeness is"


def _images(spec: Spec, task: Task) -> list[Image]:
    draws = (spec.draws[name] for name in spec.draws_of(task))
    return [draw for draw in draws if isinstance(draw, Image)]


def _said(text: str, shape: Shape) -> str:
    return f"{text} is {shape_text(shape)}"


def _x(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _refuse(path: str, text: str) -> Any:
    raise ShapeError([(path, text)])


# --------------------------------------------------------------------------------- losses


def hides_gradients(spec: Spec) -> bool:
    """Whether expressions alone do not show where gradients flow.

    Functions of the core declare the arguments through which no gradient flows; a plugin's may not,
    and a layer that starts a new body, or chooses, does not pass gradients to its input.
    """
    layers = (layer for name in spec.networks for _, layer in spec.layers_of(name))
    if any(
        layer.starts or layer.chooses or LAYERS.get(layer.kind) is not type(layer)
        for layer in layers
    ):
        return True
    called = {
        node.name
        for _, text in spec.expressions()
        for node in ex.walk(ex.parse(text))
        if isinstance(node, ex.Call) and node.name not in spec.networks
    }
    functions = map(vocabulary.function, called - {ex.GRADIENT})
    return any(function is not None and function.implementation for function in functions)


def check_learning(
    path: str, update: Update, networks: Mapping[str, Net], terms: Sequence[Tensor]
) -> None:
    """ShapeError unless a gradient of the terms reaches each network that the update trains.

    The expressions were checked before; this finds what a function or a layer does.
    """
    learnt = [term for term in terms if term.requires_grad]
    for index, name in enumerate(update.train):
        weights = list(networks[name].parameters()) if name in networks else []
        if not weights:  # such as one tanh; `check_trained` reports it
            continue
        found: Sequence[Tensor | None] = [None]
        if learnt:
            total = torch.stack([term.sum() for term in learnt]).sum()
            found = torch.autograd.grad(total, weights, retain_graph=True, allow_unused=True)
        if all(gradient is None for gradient in found):
            text = f"{name!r} is trained here, and no gradient of a term reaches its weights"
            _refuse(f"{path}.train.{index}", text)


def check_batch(spec: Spec, networks: Mapping[str, Net]) -> None:
    """ShapeError where a network normalizes over a batch of one."""
    norms = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)
    for name, net in networks.items():
        if spec.batch < 2 and any(isinstance(module, norms) for module in net.modules()):
            _refuse("batch", f"batch norm in {name} needs two samples or more, and this is 1")


# ------------------------------------------------------------------------------ functions


_ELEMENTWISE = {
    "add", "sub", "rsub", "mul", "div", "true_divide", "pow", "minimum", "maximum", "fmin", "fmax",
    "atan2", "where", "lerp", "lt", "gt", "le", "ge", "eq", "ne", "smooth_l1_loss", "mse_loss",
    "huber_loss", "binary_cross_entropy_with_logits", "binary_cross_entropy", "addcmul",
}  # fmt: skip


class _Strict(TorchDispatchMode):
    """Refuses one number for each sample, (batch,), beside rows (batch, ...): (batch, batch).

    Where all pairs are meant, both have as many dimensions: `a[:, None] - b[None]`.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        _check_operands(func._overloadpacket.__name__.rstrip("_"), args, out)
        return out


class _StrictCalls(TorchFunctionMode):
    """The same for the calls of a function itself, without seconds of imports."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        _check_operands(getattr(func, "__name__", "").strip("_"), args, out)
        return out


def _check_operands(name: str, args: Any, out: Any) -> None:
    if name not in _ELEMENTWISE or not isinstance(out, Tensor):
        return
    parts = [part for part in args if isinstance(part, Tensor) and part.ndim]
    flat = any(part.shape == (DRY_BATCH,) for part in parts)
    if flat and any(part.ndim > 1 and part.shape[0] == DRY_BATCH for part in parts):
        shapes = " and ".join(str(tuple(part.shape)) for part in parts)
        raise ValueError(f"shapes differ: {shapes} would make {tuple(out.shape)}")


@contextmanager
def strict(*, meta: bool = True) -> Iterator[None]:
    """Refuse broadcasting of (batch, 1) with (batch,) in the code of a plugin that runs here.

    Args:
        meta: on the meta device, and deep inside torch's own functions, too.
    """
    with _Strict() if meta else _StrictCalls():
        yield


def check_size(text: str, value: Any) -> None:
    """ShapeError where an expression makes more numbers for a sample than can be computed."""
    if isinstance(value, Tensor) and value.numel() > MAX_NUMBERS * DRY_BATCH:
        raise ShapeError(f"{text} is {shape_text(value.shape)}; at most {MAX_NUMBERS:,} numbers")


# --------------------------------------------------------------------------------- labels


def classes(value: Any) -> int:
    """The number of classes of labels without numbers; 0 where it is unknown."""
    return getattr(value, "classes", 0)


def mark(value: Tensor, number: int) -> Tensor:
    """Labels of that many classes, for `classes`."""
    value.classes = number  # type: ignore[attr-defined]
    return value


def whole(value: Any) -> bool:
    """Whether it is labels, which cannot be calculated with."""
    return isinstance(value, Tensor) and value.dtype == torch.int64


def passed_on(name: str, arguments: Sequence[Any], result: Any) -> Any:
    """The result of a function of the core for labels: it passes them on, or takes none.

    Raises:
        ValueError: it would calculate with them.
    """
    if name == "argmax":
        return mark(result, arguments[0].shape[1])
    if name == "class_label":
        return mark(result, int(arguments[0]) + 1)
    labels = [value for value in arguments if whole(value)]
    if not labels:
        return result
    number = max(map(classes, labels))
    if (most := _classes_for(name, arguments)) is not None and number > most:
        raise ValueError(f"labels are of {number} classes, more than {most:g}")
    if whole(result):
        if name in _CALCULATES:
            raise ValueError("a label is not a number; one_hot or embedding turns it into numbers")
        mark(result, number)
    return result


def _classes_for(name: str, arguments: Sequence[Any]) -> float | None:
    """The most classes that a function of the core takes; None if it takes any number."""
    match name, arguments:
        case "one_hot", (_, float(number)):
            return number
        case "rotate", _:
            return 4
        case "select", (tuple(several), _):
            return len(several)
        case "select", (Tensor() as values, _):
            return values.shape[1]
        case _:
            return None


_CALCULATES = {"square", "abs", "relu", "sign", "minimum", "maximum", "clip", "where", "dot",
               "squared_norm", "power", "lerp", "expand"}  # fmt: skip
