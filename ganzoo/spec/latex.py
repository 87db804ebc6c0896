"""A Spec for human readers: as plain-text mathematics, and as LaTeX for model cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from ganzoo.spec import expression as ex
from ganzoo.spec import vocabulary
from ganzoo.spec.averages import HalfLife
from ganzoo.spec.draws import (
    Categorical,
    Image,
    Index,
    Label,
    Normal,
    Text,
    Uniform,
    Vector,
    tensor_shape,
)
from ganzoo.spec.layers import (
    Conv,
    Deconv,
    Inject,
    Layer,
    Repeat,
    Residual,
    Skip,
    Tap,
    UnknownLayer,
)
from ganzoo.spec.layers.layer import Shape
from ganzoo.spec.network import Default, Network
from ganzoo.spec.optimizers import Decay, Optimizer, Shared
from ganzoo.spec.schedule import Stage, Together, Update, updates_of
from ganzoo.spec.spec import Spec
from ganzoo.spec.state import Pool, Running, State


def text(spec: Spec, shapes: Mapping[str, Mapping[str, Shape]] | None = None) -> str:
    """The Spec as plain-text mathematics of about one screen.

    Args:
        shapes: of the inputs of each network; by default those that `drawn_shapes` finds.
    """
    lines: list[str] = []
    known = drawn_shapes(spec) if shapes is None else shapes

    def section(title: str, rows: list[str]) -> None:
        lines.extend(f"{title if not index else '':<10}{row}" for index, row in enumerate(rows))

    if spec.title:
        lines.append(spec.title + (f"  ({spec.source})" if spec.source else ""))
        lines.append("")
    section("draws", [f"{name}: {_draw(draw)}" for name, draw in spec.draws.items()])
    section(
        "networks",
        [f"{name}: {_network(net, known.get(name, {}))}" for name, net in spec.networks.items()],
    )
    section(
        "taps",
        [f"{name}: {', '.join(net.taps)}" for name, net in spec.networks.items() if net.taps],
    )
    section("let", [f"{name} = {value}" for name, value in spec.let.items()])
    section("state", [f"{name}: {_state(state)}" for name, state in spec.state.items()])
    for stage in spec.stages:
        rows = _round(stage, spec.let)
        title = "round"
        if len(spec.stages) > 1:
            frozen = f", frozen: {', '.join(stage.freeze)}" if stage.freeze else ""
            lines.append(f"stage     {stage.name} ({stage.steps:,} rounds{frozen})")
        section(title, rows)
    if spec.ema:
        section("ema", [f"{name} {average_text(value)}" for name, value in spec.ema.items()])
    section(
        "tasks",
        [
            f"{name} = {task.output}"
            + (f", map {task.map}" if task.map else "")
            + "".join(f", {word} = {number:g}" for word, number in task.numbers.items())
            + (
                f", where {', '.join(task.solve)} minimizes {task.minimize} ({task.steps} steps)"
                if task.solve
                else ""
            )
            for name, task in spec.tasks.items()
        ],
    )
    section("training", [f"batch {spec.batch}, {spec.steps:,} rounds"])
    return "\n".join(lines)


def drawn_shapes(spec: Spec) -> dict[str, dict[str, Shape]]:
    """The shapes of the inputs that are called with a draw, by network and input; of a label ()."""
    found: dict[str, dict[str, Shape]] = {name: {} for name in spec.networks}
    for _, value in spec.expressions():
        for node in ex.walk(ex.parse(value)):
            if not isinstance(node, ex.Call) or node.name not in found:
                continue
            words = spec.networks[node.name].inputs
            for word, argument in zip(words, node.arguments, strict=False):
                draw = spec.draws.get(argument.name) if isinstance(argument, ex.Name) else None
                if draw is not None:
                    found[node.name][word] = tensor_shape(draw)
    return found


def _draw(draw: object) -> str:
    match draw:
        case Image():
            own = ", drawn on its own" if draw.independent else ""
            return f"image {'x'.join(map(str, draw.shape))} ({draw.field} of the data{own})"
        case Label():
            return f"label, {draw.classes} classes ({draw.field} of the data)"
        case Text():
            return f"text {draw.size} ({draw.field} of the data, through {draw.encoder})"
        case Vector():
            return f"vector {draw.size} ({draw.field} of the data)"
        case Index():
            return f"index, one of at most {draw.samples} samples (of the data)"
        case Normal():
            cut = f", at most {draw.truncation:g} from 0" if draw.truncation else ""
            return f"normal {_size(draw)}{cut} (noise)"
        case Uniform():
            return f"uniform {_size(draw)} in [{draw.low:g}, {draw.high:g}) (noise)"
        case Categorical():
            return f"categorical, {draw.classes} classes (noise)"
        case _:
            return repr(draw)


def _state(state: State) -> str:
    often = f" {_rounds(state)}" if state.every > 1 else ""
    match state:
        case Running():
            size = f", {state.size} numbers" if state.size else ""
            return f"begins at {state.start:g}{size}, then{often} {state.next}"
        case Pool():
            return f"a pool of {state.size} of {state.of}, exchanged{often or ' each round'}"
        case _:
            parts = ", ".join(f"{key} {text}" for key, text in state.expressions())
            return f"{state.kind} {parts}{often}"


def average_text(average: float | str | HalfLife) -> str:
    """A moving average in words: its decay, or its half-life."""
    if isinstance(average, HalfLife):
        life = average.half_life
        return (
            f"half-life {life:,.0f} images"
            if isinstance(life, float)
            else f"half-life {life} images"
        )
    return f"{average:g}" if isinstance(average, float) else average  # type: ignore[reportReturnType]


def _size(draw: Normal | Uniform) -> str:
    return "x".join(map(str, tensor_shape(draw)))


def _network(network: Network, shapes: Mapping[str, Shape]) -> str:
    body = "".join(f" > {layer_text(layer)}" for layer in network.layers)
    body += f", {network.weight.kind.replace('_', ' ')} weights" if network.weight else ""
    if not isinstance(network.init, Default) and network.origin is None:
        numbers = network.init.model_dump(exclude={"kind"})
        said = "".join(f" {key} {value:g}" for key, value in numbers.items())
        body += f", {network.init.kind} init{said}"
    body += ", frozen" if network.frozen else ""
    if origin := network.origin:
        body += f", {origin.network} of {origin.model}"
    branches: list[str] = []
    for name, branch in network.inputs.items():
        shape = f" {'x'.join(map(str, shapes[name])) or 'label'}" if name in shapes else ""
        branches.append(" > ".join([f"{name}{shape}", *map(layer_text, branch)]))
    return f"({', '.join(branches)}){body}"


def layer_text(layer: Layer) -> str:
    """A layer in a few characters: `conv 64 5x5 /2`."""
    if isinstance(layer, UnknownLayer):
        return layer.kind.replace("_", " ")
    values: dict[str, Any] = layer.model_dump(exclude_defaults=True)
    values.pop("kind", None)
    if isinstance(layer, Conv | Deconv):  # kernels and strides are shown even if default
        values = {
            "channels": layer.channels,
            "kernel": layer.kernel,
            "stride": layer.stride,
        } | values
    match layer:
        case Repeat():
            inner = " > ".join(layer_text(part) for part in layer.layers)
            return f"{layer.times}x({inner})"
        case Tap(through=through) if through:
            return f"tap {layer.name} ({' > '.join(layer_text(part) for part in through)})"
        case Residual() | Skip():
            inner = " > ".join(layer_text(part) for part in layer.layers)
            shortcut = layer.shortcut if isinstance(layer, Residual) else ()
            short = " > ".join(layer_text(part) for part in shortcut)
            return f"{layer.kind}({inner})" + (f" + ({short})" if short else "")
        case Inject():
            through = " > ".join([layer.input, *(layer_text(part) for part in layer.through)])
            through = f"({through})" if layer.through else through
            return f"inject {through}" + ("" if layer.join == "concatenate" else f" ({layer.join})")
        case _:
            shown: list[str] = []
            for key, value in values.items():
                if key in {"units", "channels", "size", "rate", "slope", "name", "classes"}:
                    shown.append(str(value))
                elif key == "kernel":
                    shown.append(f"{value}x{value}")
                elif key == "stride" and value > 1:
                    shown.append(f"{'x' if isinstance(layer, Deconv) else '/'}{value}")
                elif key == "stride":
                    continue
                elif key == "shape":
                    shown.append("x".join(map(str, value)))
                elif key == "bias":
                    shown.append("bias" if value else "no bias")
                elif key == "weight":
                    shown.append(getattr(layer, key).kind.replace("_", " "))
                else:
                    shown.append(f"{key} {value}")
            return " ".join([layer.kind.replace("_", " "), *shown])


def _round(stage: Stage, lets: Mapping[str, str]) -> list[str]:
    rows: list[str] = []
    for item in stage.round:
        group = isinstance(item, Together)
        if group:
            rows.append(f"{_often(item)}together")
        for update in updates_of(item):
            names = ", ".join(update.train)
            head = f"{'  ' if group else _often(item)}update {names}  minimize  "
            for index, (term, value) in enumerate(update.minimize.items()):
                rows.append(f"{head if not index else ' ' * len(head)}{term}: {value}")
            if update.clip_weights:
                limit = f"{update.clip_weights:g}"
                rows.append(f"{' ' * len(head)}then clip weights to [-{limit}, {limit}]")
            if update.clip_norm:
                rows.append(f"{' ' * len(head)}gradients clipped to norm {update.clip_norm:g}")
            rows.append(f"{' ' * len(head)}with {_optimizer(update.optimizer, lets)}")
    return rows


def _optimizer(optimizer: Optimizer, lets: Mapping[str, str]) -> str:
    """An optimizer with its rate and moments, and with other numbers that are not the default."""
    if isinstance(optimizer, Shared):
        return f"the optimizer of {optimizer.of}"
    usual = {"eps": getattr(type(optimizer).model_fields.get("eps"), "default", None)}
    usual |= {"weight_decay": 0}
    words = [optimizer.kind.replace("_", " ")]
    for key, value in optimizer:
        if key == "kind" or value is None or (key in usual and value == usual[key]):
            continue
        if isinstance(value, Decay):
            words.append(
                f"{value.shape} decay to {value.final:g} of the rate "
                f"after {value.start:.0%} of the rounds"
            )
        else:
            said = "as above" if value in lets else _numbers(value)
            words.append(f"{key.replace('_', ' ')} {said}")
    return ", ".join(words)


def _numbers(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_numbers, cast('Sequence[Any]', value)))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _often(item: Update | Together) -> str:
    words = f"{item.repeat}x " if item.repeat > 1 else ""
    return words + (f"{_rounds(item)}: " if item.every > 1 else "")


def _rounds(item: Update | Together | State) -> str:
    """In which rounds something happens that does not happen in every round."""
    if item.on == (0,):
        return f"every {item.every} rounds"
    return f"in rounds {', '.join(map(str, item.on))} of {item.every}"


def latex(spec: Spec) -> str:
    """The losses as an aligned LaTeX block, one line for each update, with how often it is made."""
    rows: list[str] = []
    for name, value in spec.let.items():
        rows.append(rf"{ex.symbol(name)} &= {expression_latex(spec, value)}")
    for stage in spec.stages:
        label = rf"\text{{{stage.name}: }}" if len(spec.stages) > 1 else ""
        for item in stage.round:
            times = f"{item.repeat} times a round" if item.repeat > 1 else ""
            often = ", ".join(filter(None, (times, _rounds(item) if item.every > 1 else "")))
            beside = rf" \quad \text{{({often})}}" if often else ""
            rows += [f"{label}{_objective(spec, update)}{beside}" for update in updates_of(item)]
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def _objective(spec: Spec, update: Update) -> str:
    trained = ", ".join(ex.symbol(name) for name in update.train)
    terms = " + ".join(expression_latex(spec, value) for value in update.minimize.values())
    clip = (
        rf",\quad |\theta_{{{trained}}}| \le {update.clip_weights:g}" if update.clip_weights else ""
    )
    return rf"\min_{{{trained}}} &\; {terms.replace('+ -', '- ')}{clip}"


def expression_latex(spec: Spec, value: str) -> str:
    """One expression of the Spec as LaTeX."""

    def call(node: ex.Call, parts: tuple[str, ...]) -> str | None:
        function = None if node.name in spec.networks else vocabulary.function(node.name)
        if function is None:
            return None
        # the template has a place for each required argument
        if function.latex is None or len(parts) > function.required:
            return rf"\operatorname{{{ex.escape(node.name)}}}\left({', '.join(parts)}\right)"
        # a sum after a minus sign of the template, as in |a - b|, needs parentheses
        sums = [isinstance(part, ex.Negative | ex.Binary) for part in node.arguments]
        shown = [
            rf"\left({part}\right)" if a_sum and f"- {{{index}}}" in function.latex else part
            for index, (part, a_sum) in enumerate(zip(parts, sums, strict=True))
        ]
        return function.latex.format(*shown)

    return ex.latex(ex.parse(value), call)
