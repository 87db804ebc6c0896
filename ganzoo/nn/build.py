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
from ganzoo.nn.modules import DRY_BATCH, MAX_NUMBERS, Net, Shape, example, shape_text
from ganzoo.spec import expression as ex
from ganzoo.spec import vocabulary
from ganzoo.spec.draws import WHOLE, tensor_shape
from ganzoo.spec.layers import Layer
from ganzoo.spec.layers.weights import matrix, outputs_first
from ganzoo.spec.network import Default, Gaussian, Init, LeCun, Network, Orthogonal, Xavier
from ganzoo.spec.numbers import RUN
from ganzoo.spec.spec import Spec
from ganzoo.spec.state import Running


class Networks(dict[str, Net]):
    """Networks by name, and what else the expressions of a Spec told while they were made.

    Attributes:
        reads: the shapes of what each state is read from, by field, without the batch.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reads: dict[str, dict[str, Shape]] = {}


def build(spec: Spec, *, published: bool = False) -> Networks:
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
    networks, reads = Networks(), dict[str, dict[str, Shape]]()

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
        name: example(tensor_shape(draw), isinstance(draw, WHOLE))
        for name, draw in spec.draws.items()
    }

    def noise(batch: int, *width: int) -> Tensor:
        return torch.empty(batch, *width, device="meta")

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
        """What a task solves for: of each sample its own, also where it starts from a state."""
        start = evaluate(let)
        return start if spec.draws_in(let) else start.expand(DRY_BATCH, *start.shape)

    evaluate = Evaluator(spec, call, draws, noise, recall=recall, whole=whole)
    # weights can be read once a network is made, and its first call makes it
    texts = [item for item in spec.expressions() if not item[0].startswith("let.")]
    if published:
        texts = [item for item in texts if item[0].startswith("tasks.")]
    for path, text in sorted(texts, key=lambda item: _reads_weights(spec, item[1])):
        room, named = (*path.split("."), "")[:2]
        task = spec.tasks[named] if room == "tasks" else None
        own = evaluate
        try:
            if task and (task.numbers or task.solve):
                known = {ex.Name(let): sought(let) for let in task.solve if let in spec.let}
                own = Evaluator(spec, call, draws, noise, known, recall, whole=whole)
                own.values |= {word: float(number) for word, number in task.numbers.items()}
            value = own(text)
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
        _check_state(spec, path, shape)
    made = Networks()
    made.update((name, networks[name]) for name in spec.networks if name in networks)
    made.reads = reads
    return made


def _reads_weights(spec: Spec, text: str) -> bool:
    named = {*spec.networks, *spec.draws, *spec.let, *spec.state, *RUN, ex.GRADIENT}
    functions = map(vocabulary.function, spec.names_in(text) - named)
    return any(function is not None and function.weights for function in functions)


def check_trained(spec: Spec, networks: Networks) -> None:
    """ShapeError where weights are never trained, or an update trains what has none.

    Which networks have weights is known once they are made.
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
    """What a running state becomes has its own shape."""
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


def _check_task(spec: Spec, path: str, shape: Shape) -> None:
    """A score is one number an image, a verdict and a direction are some."""
    room, name, key = (*path.split("."), "", "")[:3]
    rows = room == "tasks" and key == "output" and spec.tasks[name].kind in ("classify", "match")
    if rows and len(shape) != 2:
        what = "a number for each class" if spec.tasks[name].kind == "classify" else "a direction"
        raise ShapeError([(path, f"gives {what}, (n, d), and this is {shape_text(shape[1:])}")])
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
        with torch.no_grad():
            for module in net.modules():
                layer = getattr(module, "_layer", None)
                if isinstance(layer, Layer):
                    layer.begin(module)


def _initialize(module: nn.Module, init: Init) -> None:
    weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
    if isinstance(weight, nn.Parameter):
        if weight.ndim >= 2:
            match init:
                case Gaussian(std=std):
                    nn.init.normal_(weight, 0.0, std)
                case Xavier():
                    nn.init.xavier_uniform_(weight)
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
    """Trainable numbers in a network."""
    return sum(parameter.numel() for parameter in net.parameters())
