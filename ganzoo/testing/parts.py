"""Checks of all that a plugin provides: variants, functions, losses, layers, data, metrics."""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ganzoo.data.catalog import DataSet
from ganzoo.data.source import Source
from ganzoo.metrics.metric import Metric
from ganzoo.nn.build import build
from ganzoo.plugins.host import Host, Plugin
from ganzoo.spec import expression
from ganzoo.spec.draws import Image, Label, Normal, Vector
from ganzoo.spec.layers import (
    Conv,
    Flatten,
    Layer,
    LeakyReLU,
    Linear,
    OneHot,
    Reshape,
    Tanh,
)
from ganzoo.spec.losses.loss import Loss
from ganzoo.spec.network import Network
from ganzoo.spec.reference import Word, of_function, of_layer
from ganzoo.spec.schedule import Update
from ganzoo.spec.spec import Spec
from ganzoo.spec.variant import Fields, Variant
from ganzoo.spec.vocabulary import Function
from ganzoo.testing.checks import CHECKS, UNTRAINED, meaning, results, text_of
from ganzoo.testing.subject import Subject, noise


@dataclass(frozen=True)
class Finding:
    """A line of `ganzoo check-plugin`: the subject, the check, what it requires, what is wrong."""

    of: str
    check: str
    about: str
    problem: str


def check_plugin(
    plugin: Plugin, host: Host, data: Source | None = None, settings: dict[str, Any] | None = None
) -> Iterator[Finding]:
    """Run `CHECKS` on each variant, and check documentation and examples of everything else.

    A variant that only changes defaults of another one of the plugin is not trained: it may have
    the sizes of a paper, and training the other one is enough.
    """
    variants = [host.variants[name] for name in plugin.brings.get("variants", [])]
    for name in plugin.brings.get("variants", []):
        try:
            subject = Subject.of(host.variants[name], data, settings or {})
        except Exception as error:
            yield Finding(
                name, "settings", "Its hyper-parameters have sound values.", text_of(error)
            )
            continue
        preset = is_preset(host.variants[name], variants)
        for check, problem in results(subject, UNTRAINED if preset else CHECKS):
            yield Finding(name, check, meaning(check), problem)
    for name in plugin.brings.get("functions", []):
        word = of_function(host.functions[name])
        problem = _undocumented(word) or _misleading(host.functions[name])
        yield Finding(name, "function", "It is documented, with a formula and an example.", problem)
    for name in plugin.brings.get("losses", []):
        about = "It has a summary, and a small GAN learns with it."
        yield Finding(name, "loss", about, _unlearnable(host.losses[name]))
    for name in plugin.brings.get("layers", []):
        about = "It is documented, with a formula, and its example gives the stated shape."
        problem = _undocumented(of_layer(host.layers[name])) or _misshapen(host.layers[name], host)
        yield Finding(name, "layer", about, problem)
    for name in plugin.brings.get("data", []):
        about = "Its loader exists, and its summary, licence and source are given."
        yield Finding(name, "data", about, _unattributed(host.data[name]))
    for name in plugin.brings.get("metrics", []):
        about = "Its functions `applies` and `find` take an evaluation."
        yield Finding(name, "metric", about, _unmeasurable(host.metrics[name]))


def is_preset(variant: type[Variant], others: Iterable[type[Variant]]) -> bool:
    """Whether a variant only changes defaults of one of the others."""
    own = [name for name, value in vars(variant).items() if inspect.isfunction(value)]
    inherited = variant.__mro__[1]
    return (
        inherited in others
        and all(name.startswith("__") for name in own)  # pydantic's
        and variant.model_fields.keys() == inherited.model_fields.keys()
    )


def _unmeasurable(metric: Metric) -> str:
    """Why a metric cannot be run."""
    for word in ("applies", "find"):
        try:
            inspect.signature(getattr(metric, word)).bind(None)
        except TypeError as error:
            return f"{word} takes one argument, the evaluation ({error})"
    return ""


def _undocumented(word: Word) -> str:
    return f"it has no {' and no '.join(word.lacks)}" if word.lacks else ""


def _misleading(function: Function) -> str:
    """The problem with the example of a function; empty if there is none."""
    try:
        tree = expression.parse(function.example)
    except Exception as error:
        return f"its example: {error}"
    calls = [node for node in expression.walk(tree) if isinstance(node, expression.Call)]
    if not any(call.name == function.name for call in calls):
        return f"its example {function.example!r} does not call {function.name}"
    for call in calls:
        number = len(call.arguments)
        if call.name == function.name and not (
            function.required <= number <= len(function.parameters)
        ):
            return f"its example gives {number} arguments to {function.signature}"
    return ""


def _unlearnable(loss: Loss) -> str:
    """The problem with a loss, alone or in a small GAN; empty if there is none."""
    if not loss.summary:
        return "it has no summary"

    class Pair(Variant):
        """A generator and a discriminator of two layers each."""

        name = "pair"

        def spec(self, data: Fields) -> Spec:
            shape = data.image.shape
            paint = (Linear(16), LeakyReLU(), Linear(math.prod(shape)), Reshape(shape), Tanh())
            discriminator = (Linear(16), LeakyReLU(), Linear(1))
            plain = Spec(
                title="Pair",
                draws={"x": data.image, "z": Normal(4)},
                networks={
                    "G": Network({"z": ()}, paint),
                    "D": Network({"x": (Flatten(),)}, discriminator),
                },
                round=[
                    Update("D", {"real": "mean(D(x))", "fake": "-mean(D(G(z)))"}),
                    Update("G", {"fool": "mean(D(G(z)))"}),
                ],
                tasks={"generate": "G(z)"},
            )
            return loss.apply(plain)

    failed = (found for found in results(Subject(Pair(), noise())) if found[1])
    name, problem = next(failed, ("", ""))
    return f"a small GAN with it fails the check {name}: {problem}" if problem else ""


def _misshapen(kind: type[Layer], host: Host) -> str:
    """The problem with the example of a layer, which has input and output shapes, or empty."""
    code, _, comment = kind.example.partition("#")
    classes = {layer.__name__: layer for layer in host.layers.values()}
    try:
        layer = eval(
            code, {**classes, kind.__name__: kind}
        )  # the plugin's own code, as is its module
        arrives, leaves = (tuple(ast.literal_eval(text)) for text in comment.split(" to "))
    except Exception as error:
        return (
            f"its example {kind.example!r} is not of the form {Conv.example!r} ({text_of(error)})"
        )
    if not isinstance(layer, kind):
        return f"its example {kind.example!r} does not make a {kind.__name__}"
    try:
        found = shape_after(layer, arrives)
    except Exception as error:
        return f"its example {kind.example!r}: {text_of(error)}"
    return "" if found == leaves else f"its example {kind.example!r} gives {found}"


def shape_after(layer: Layer, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The output shape of a layer for an input `shape`, both of one sample; () is a label.

    Inputs that it reads are labels of ten classes; noise (a field `noise`) is a map of this shape.
    """
    match shape:
        case ():
            draw: Any = Label(10)
        case (size,):
            draw = Vector(size)
        case _:
            draw = Image(shape)  # type: ignore[arg-type]
    inputs: dict[str, Any] = {"v": ()}
    draws: dict[str, Any] = {"v": draw}
    for name in layer.needs:
        inputs[name], draws[name] = (OneHot(10),), Label(10)
        if name == getattr(layer, "noise", None):
            inputs[name], draws[name] = (), Normal(shape=shape)
    networks = {
        "N": Network(inputs, (layer,)),
        "Head": Network({"w": (Flatten(),)}, (Linear(1),)),
    }
    # the head learns, for a layer without weights
    loss = {"loss": f"mean(Head(N({', '.join(draws)})))"}
    spec = Spec(draws=draws, networks=networks, round=[Update(("N", "Head"), loss)])
    return build(spec)["N"].leaves[""]


def _unattributed(declared: DataSet) -> str:
    missing = [word for word in ("summary", "licence", "source") if not getattr(declared, word)]
    if missing:
        return f"it has no {' and no '.join(missing)}"
    try:
        loader = declared.loader()
    except Exception as error:
        return f"its loader {declared.load!r} cannot be imported ({text_of(error)})"
    return "" if callable(loader) else f"its loader {declared.load!r} cannot be called"
