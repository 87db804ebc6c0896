"""Networks of a Spec: built, checked and initialized.

`build(spec)` evaluates all expressions of a Spec once on the meta device, where tensors have
shapes but no numbers. Each network is built when it is first called, from the shapes of its
inputs; an error names the expression and the layer at fault.
"""

from __future__ import annotations

import contextlib
import math
import operator
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo import extension
from ganzoo.errors import ShapeError
from ganzoo.nn import soundness
from ganzoo.nn.interpreter import Evaluator
from ganzoo.nn.modules import DRY_BATCH, MAX_NUMBERS, Net, Shape, example, shape_text
from ganzoo.nn.work import EACH, Work
from ganzoo.spec import expression as ex
from ganzoo.spec import vocabulary
from ganzoo.spec.draws import WHOLE, tensor_shape
from ganzoo.spec.layers import Layer
from ganzoo.spec.layers.weights import matrix, outputs_first
from ganzoo.spec.network import Default, Gaussian, Init, LeCun, Network, Origin, Orthogonal, Xavier
from ganzoo.spec.numbers import RUN
from ganzoo.spec.spec import Spec
from ganzoo.spec.state import Running
from ganzoo.spec.tasks import Task
from ganzoo.spec.validation import updates_with_paths


class Networks(dict[str, Net]):
    """Networks by name, and what else was found while the expressions were evaluated.

    Attributes:
        reads: the shapes of the values that each state reads, by field, without the batch axis.
        work: the cost of the tasks' expressions, for one sample, by their text.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reads: dict[str, dict[str, Shape]] = {}
        self.work: dict[str, Work] = {}


def build(spec: Spec, *, published: bool = False) -> Networks:
    """The networks of `spec` on the meta device (no memory, no weights yet), all shapes checked.

    Args:
        published: build only the networks that the tasks need, with shapes in closed form, for
            speed; the Spec of a trained model has been checked before.

    Raises:
        ShapeError: names the layer or the expression at fault.
        PluginError: the Spec uses a word that no installed plugin provides.
    """
    if not published:
        spec.complete()
    elif _is_light(spec):
        with contextlib.suppress(_TooLargeError):
            return _build(spec, published, "cpu")
    return _build(spec, published, "meta")


class _TooLargeError(Exception):
    """Too many numbers to compute only to find their shape."""


LIGHT = 100_000
"""Numbers of a sample that may be computed to find a shape."""
_PLAIN = {
    "abs", "average", "batch_mean", "bce", "clip", "concatenate", "detach", "distance", "exp", "kl",
    "l1", "lerp", "log", "maximum", "mean", "minimum", "mse", "norm", "relu", "reparameterize",
    "sigmoid", "sign", "softmax", "softplus", "sqrt", "square", "squared_norm", "tanh",
}  # fmt: skip
"""Functions whose results are no larger than their arguments, and whose result shapes do not
depend on values."""


def _is_light(spec: Spec) -> bool:
    """Whether the tasks of a published Spec may be evaluated on a few zeros, to find their shapes.

    The first operation of torch on the meta device costs two seconds of imports.
    """
    if spec.state or any(math.prod(tensor_shape(draw)) > LIGHT for draw in spec.draws.values()):
        return False
    for task in spec.tasks.values():
        if task.solve or task.numbers:
            return False
        for _, text in task.expressions:
            if spec.names_in(text) - {*spec.taken, *spec.let} - _PLAIN:
                return False
    return True


def _build(spec: Spec, published: bool, device: str) -> Networks:
    networks, reads = Networks(), dict[str, dict[str, Shape]]()
    seen: dict[str, list[int]] = {}
    """The number of classes of the labels that each network received, by input."""
    costs: list[Work] = []
    works: dict[str, Work] = {}

    def blank(shape: Shape, label: bool = False) -> Tensor:
        if device != "meta" and math.prod(shape) > LIGHT:
            raise _TooLargeError
        return example(shape, label, device)

    def call(name: str, values: Sequence[Tensor], output: str | None) -> Tensor:
        for word, value in zip(spec.networks[name].inputs, values, strict=True):
            if not isinstance(value, Tensor):
                raise ShapeError(f"{name}: its input {word!r} is {value!r}, a plain number")
            if not value.ndim:
                raise ShapeError(f"{name}: its input {word!r} is one number for all samples")
        if len({value.shape[0] for value in values}) > 1:
            sizes = ", ".join(shape_text(value.shape) for value in values)
            raise ShapeError(f"{name}: its inputs are of different batches: {sizes}")
        shapes = [tuple(value.shape[1:]) for value in values]
        labels = [soundness.classes(value) or soundness.whole(value) for value in values]
        before = seen.get(name, [0] * len(labels))
        if name not in networks or any(map(operator.gt, labels, before)):
            try:
                made = Net(spec.networks[name], shapes, labels, dry=not published)
            except ShapeError as error:
                raise ShapeError(
                    [(f"networks.{name}.{path}", text) for path, text in error.problems]
                ) from None
            origin = spec.networks[name].origin
            if origin is not None and not published and name not in networks:
                _check_origin(name, made, origin)
            networks.setdefault(name, made)
            seen[name] = [*map(max, labels, before)]
        net = networks[name]
        costs.append(net.work)
        if net.shapes != tuple(shapes):
            raise ShapeError(
                f"{name} was first called with {', '.join(map(shape_text, net.shapes))}, "
                f"and here gets {', '.join(map(shape_text, shapes))}"
            )
        if published and not torch.is_grad_enabled():  # gradients need the graph between the two
            return blank(net.leaves[output or ""])
        return net(*values, outputs=(output or "",))

    for name, draw in spec.draws.items():
        if math.prod(tensor_shape(draw)) > MAX_NUMBERS:
            size = shape_text(tensor_shape(draw))
            raise ShapeError([(f"draws.{name}", f"{size}; at most {MAX_NUMBERS:,} numbers")])
    draws: dict[str, Tensor] = {}
    for name, draw in spec.draws.items():
        draws[name] = blank(tensor_shape(draw), isinstance(draw, WHOLE))
        if isinstance(draw, WHOLE):
            soundness.mark(draws[name], draw.classes)

    def noise(batch: int, *width: int) -> Tensor:
        return torch.zeros(batch, *width, device=device)

    def recall(name: str, **values: Tensor) -> Tensor:
        state = spec.state[name]
        words = {key for key, kind in state.texts.items() if kind == "read"}
        reads[name] = {key: tuple(values[key].shape[1:]) for key in words & set(values)}
        with torch.device("meta"):
            held = {word: value.to("meta") for word, value in state.tensors(reads[name]).items()}
            return state.value(held, **values)

    def whole(name: str) -> Net:
        if name not in networks:
            raise ShapeError(f"{name} is called nowhere before its weights are read")
        return networks[name]

    def sought(let: str) -> Tensor:
        """A value that a task solves for: one for each sample, even if it starts from a state."""
        start = evaluate(let)
        return start if spec.draws_in(let) else start.expand(DRY_BATCH, *start.shape)

    def count(value: Any) -> None:
        if isinstance(value, Tensor):
            numbers = math.prod(value.shape[1:])
            costs.append(Work(EACH * numbers, 2 * numbers, numbers))

    def evaluator(task: Task | None = None) -> Evaluator:
        names = task.solve if task else ()
        known: dict[ex.Expression, Tensor] = {
            ex.Name(name): sought(name) for name in names if name in spec.let
        }
        found = Evaluator(
            spec,
            call,
            draws,
            noise,
            known,
            recall=recall,
            whole=whole,
            dry=True,
            seen=count,
        )
        found.values |= task.numbers if task else {}  # type: ignore[reportAttributeAccessIssue]
        return found

    evaluate = evaluator()
    terms: dict[str, list[Tensor]] = {}
    # weights can be read once a network is built, which its first call does
    texts = [item for item in spec.expressions() if not item[0].startswith("let.")]
    if published:
        texts = [
            (path, text)
            for path, text in texts
            if path.startswith("tasks.") and path.split(".")[1] not in spec.lacking
        ]
    for path, text in sorted(texts, key=lambda item: _reads_weights(spec, item[1])):
        room, named, key = (*path.split("."), "", "")[:3]
        task = spec.tasks[named] if room == "tasks" else None
        costs.clear()
        # tasks run without a graph, except for what they solve
        graph = contextlib.nullcontext() if task is None or key == "minimize" else torch.no_grad()
        try:
            own = evaluator(task) if task else evaluate
            with graph:
                value = own(text)
        except ShapeError as error:
            raise ShapeError(
                [
                    (sub, f"{message} (called in {path}: {text})") if sub else (path, message)
                    for sub, message in error.problems
                ]
            ) from None
        if task:
            works[text] = reduce(Work.then, costs, Work())
            soundness.check_task(spec, path, text, value)
        elif ".minimize." in path:
            terms.setdefault(path.partition(".minimize.")[0], []).append(_term(path, text, value))
        _check_state(spec, path, tuple(value.shape) if isinstance(value, Tensor) else ())
    if not published:
        for name in spec.networks:
            if name not in networks:
                raise ShapeError([(f"networks.{name}", "is never called, only named")])
        for index, stage in enumerate(spec.stages if soundness.hides_gradients(spec) else ()):
            for path, update in updates_with_paths(stage, f"stages.{index}"):
                soundness.check_learning(path, update, networks, terms[path])
    made = Networks()
    made.update((name, networks[name]) for name in spec.networks if name in networks)
    made.reads, made.work = reads, works
    return made


def _reads_weights(spec: Spec, text: str) -> bool:
    given = {name for task in spec.tasks.values() for name in task.numbers}
    # a name that is not a function would be looked up in every plugin
    names = spec.names_in(text) - {*spec.taken, *spec.let, *RUN, *given, ex.GRADIENT}
    functions = map(vocabulary.function, names)
    return any(function is not None and function.weights for function in functions)


def check_trained(spec: Spec, networks: Networks) -> None:
    """ShapeError where weights are never trained, or an update trains a network without weights.

    Which networks have weights is known once they are built.
    """
    trained = {name for stage in spec.stages for update in stage.updates for name in update.train}
    for name, net in networks.items():
        weights = any(True for _ in net.parameters())
        if weights and name not in trained and not spec.is_frozen(name):
            text = "no update trains this network; frozen: true keeps its weights as they begin"
            raise ShapeError([(f"networks.{name}", text)])
        if not weights and name in trained:
            raise ShapeError([(f"networks.{name}", "has no weights, and an update trains it")])


def _check_state(spec: Spec, path: str, shape: Shape) -> None:
    """The new value of a running state has the shape of the old one."""
    room, name, key = (*path.split("."), "", "")[:3]
    state = spec.state.get(name) if room == "state" and key == "next" else None
    if not isinstance(state, Running):
        return
    wanted = (state.size,) if state.size else ()
    if shape != wanted:
        kept = f"{state.size} numbers" if state.size else "one number"
        hint = "use mean(...) or batch_mean(...)" if len(shape) > len(wanted) else "give it a size"
        found = shape_text(shape) if shape else "one number"
        text = f"{name} keeps {kept}, and this is {found}; {hint}"
        raise ShapeError([(path, text)])


def _term(path: str, text: str, value: Any) -> Tensor:
    """A loss term: one number, and not a constant."""
    if not isinstance(value, Tensor):
        raise ShapeError([(path, f"{text} is a constant; nothing can be learnt from it")])
    if value.ndim:
        shape = shape_text(tuple(value.shape))
        raise ShapeError([(path, f"a loss is one number, and {text} is {shape}; use mean(...)")])
    return value


def initialize(net: Net, network: Network, generator_seed: int) -> None:
    """Initialize the weights of a network, as a function of the seed alone.

    The weights of a network of a published model are loaded from the model.

    Raises:
        IntegrityError: their hash is not the one in the Spec.
        ShapeError: they do not fit the shapes with which the network is called.
    """
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
        with torch.no_grad():
            for module in net.modules():
                layer = getattr(module, "_layer", None)
                if isinstance(layer, Layer):
                    layer.begin(module)
    if network.origin is not None:
        _take_over(net, network.origin)


def _take_over(net: Net, origin: Origin) -> None:
    """Load the weights of a published model into a network that names it."""
    if extension.weights is None:
        raise ShapeError(f"nothing here gives the weights of {origin.model}")
    weights = extension.weights(origin)
    if found := _misfit(net, weights):
        raise ShapeError(
            f"the weights of {origin.network} of {origin.model} do not fit: it is called with "
            f"other shapes than there ({found})"
        )
    net.load_state_dict(_by_own_paths(net, weights))


def _check_origin(name: str, net: Net, origin: Origin) -> None:
    """ShapeError if the weights of a published model do not fit the inputs of a network.

    A network without linear layers may be called with images of another size.
    """
    there = extension.built(origin) if extension.built else None
    if there is None or not _misfit(net, there.state_dict()):
        return
    takes, gets = (", ".join(map(shape_text, one.shapes)) for one in (there, net))
    text = f"{origin.network} of {origin.model} takes {takes}, and here it gets {gets}"
    raise ShapeError([(f"networks.{name}", text)])


def _misfit(net: Net, weights: Mapping[str, Any]) -> str:
    """The first weight of another shape than in `weights`, with both; empty if all fit."""
    own, weights = net.state_dict(), _by_own_paths(net, weights)
    for path in {**own, **weights}:
        here, there = (
            shape_text(tuple(some[path].shape)) if path in some else "none"
            for some in (own, weights)
        )
        if here != there:
            return f"{path} is {there} there, and {here} here"
    return ""


def _by_own_paths(net: Net, weights: Mapping[str, Any]) -> Mapping[str, Any]:
    """Published weights by the paths of a network with the same layers, and maybe more taps.

    A tap moves the layers behind it to other paths, and not to another order.
    """
    own = net.state_dict()
    if [path.rpartition(".")[2] for path in own] == [path.rpartition(".")[2] for path in weights]:
        return dict(zip(own, weights.values(), strict=True))
    return weights


def _initialize(module: nn.Module, init: Init) -> None:
    weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
    if isinstance(weight, nn.Parameter):
        if weight.ndim >= 2:
            match init:
                case Gaussian(std=std):
                    nn.init.normal_(weight, 0.0, std)
                case Xavier(gain=gain):
                    nn.init.xavier_uniform_(weight, gain)
                case LeCun():
                    nn.init.normal_(weight, 0.0, matrix(module).shape[1] ** -0.5)
                case Orthogonal():
                    rows = nn.init.orthogonal_(torch.empty(matrix(module).shape))
                    with torch.no_grad():
                        outputs_first(module).copy_(rows.view_as(outputs_first(module)))
                case _:
                    nn.init.kaiming_normal_(weight, a=0.2, nonlinearity="leaky_relu")
        elif isinstance(init, Gaussian) and isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(weight, 1.0, init.std)
    if isinstance(bias, nn.Parameter):
        nn.init.zeros_(bias)


def parameter_count(net: nn.Module) -> int:
    """The number of trainable parameters of a network."""
    return sum(parameter.numel() for parameter in net.parameters())
