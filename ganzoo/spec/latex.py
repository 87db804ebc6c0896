"""A Spec for human readers: as plain-text mathematics, and as LaTeX for model cards."""

from __future__ import annotations

from typing import Any

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
from ganzoo.spec.network import Network
from ganzoo.spec.optimizers import Shared
from ganzoo.spec.schedule import Stage, Together, Update, updates_of
from ganzoo.spec.spec import Spec
from ganzoo.spec.state import Pool, Running, State


def text(spec: Spec) -> str:
    """The Spec as plain-text mathematics of about one screen."""
    lines: list[str] = []

    def section(title: str, rows: list[str]) -> None:
        lines.extend(f"{title if not index else '':<10}{row}" for index, row in enumerate(rows))

    if spec.title:
        lines.append(spec.title + (f"  ({spec.source})" if spec.source else ""))
        lines.append("")
    section("draws", [f"{name}: {_draw(draw)}" for name, draw in spec.draws.items()])
    section("networks", [f"{name}: {_network(net)}" for name, net in spec.networks.items()])
    section("let", [f"{name} = {value}" for name, value in spec.let.items()])
    section("state", [f"{name}: {_state(state)}" for name, state in spec.state.items()])
    for stage in spec.stages:
        rows = _round(stage)
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
    often = (
        "" if state.every == 1 else f" in rounds {', '.join(map(str, state.on))} of {state.every}"
    )
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


def _network(network: Network) -> str:
    body = "".join(f" > {layer_text(layer)}" for layer in network.layers)
    body += f", {network.weight.kind.replace('_', ' ')} weights" if network.weight else ""
    body += ", frozen" if network.frozen else ""
    if origin := network.origin:
        body += f", {origin.network} of {origin.model}"
    branches = [
        f"{name} > {' > '.join(layer_text(layer) for layer in branch)}" if branch else name
        for name, branch in network.inputs.items()
    ]
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


def _round(stage: Stage) -> list[str]:
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
            if isinstance(update.optimizer, Shared):
                rows.append(f"{' ' * len(head)}with the optimizer of {update.optimizer.of}")
    return rows


def _often(item: Update | Together) -> str:
    words = f"{item.repeat}x " if item.repeat > 1 else ""
    if item.every > 1:
        words += f"in rounds {', '.join(map(str, item.on))} of {item.every}: "
    return words


def latex(spec: Spec) -> str:
    """The losses as an aligned LaTeX block, one line for each update."""
    rows: list[str] = []
    for name, value in spec.let.items():
        rows.append(rf"{ex.symbol(name)} &= {expression_latex(spec, value)}")
    for stage in spec.stages:
        for update in stage.updates:
            trained = ", ".join(ex.symbol(name) for name in update.train)
            terms = " + ".join(expression_latex(spec, value) for value in update.minimize.values())
            operator = rf"\min_{{{trained}}}"
            label = rf"\text{{{stage.name}: }}" if len(spec.stages) > 1 else ""
            clip = (
                rf",\quad |\theta_{{{trained}}}| \le {update.clip_weights:g}"
                if update.clip_weights
                else ""
            )
            rows.append(rf"{label}{operator} &\; {terms.replace('+ -', '- ')}{clip}")
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


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
