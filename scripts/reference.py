"""Writes docs/functions.md, docs/layers.md and docs/spec-files.md from the vocabulary of the core.

.venv/bin/python scripts/reference.py

Their text comes from the declarations in `ganzoo.spec`; a test fails if the pages are out of date.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from pydantic_core import PydanticUndefined

from ganzoo.spec import draws, network, numbers
from ganzoo.spec.averages import HalfLife
from ganzoo.spec.frozen import Frozen
from ganzoo.spec.layers import LAYERS
from ganzoo.spec.layers.weights import Equalized, Plain, Spectral, WeightNorm
from ganzoo.spec.optimizers import OPTIMIZERS, Decay
from ganzoo.spec.reference import Word, of_function, of_layer
from ganzoo.spec.schedule import Stage, Together, Update
from ganzoo.spec.spec import Spec
from ganzoo.spec.state import STATES
from ganzoo.spec.tasks import Task
from ganzoo.spec.vocabulary import FUNCTIONS

DOCS = Path(__file__).parents[1] / "docs"

FUNCTIONS_INTRO = """\
# Functions

The functions that expressions of a Spec can call: losses, penalties and arithmetic. Each is a pure
function of tensors with the batch axis first. `ganzoo functions` lists them, including those of
plugins, and `ganzoo functions NAME` shows one. In the examples, capital letters are networks, `x`
is a batch of images, `fake` a batch of generated images, `y` labels, `t` sentences, and `h` a mean
and a log standard deviation, concatenated.

A plugin adds its own: [plugins.md](plugins.md#a-function-of-your-own).
"""

LAYERS_INTRO = """\
# Layers

The layers that networks consist of. Layers declare only output sizes; input sizes are inferred.
Shapes are of one sample: `(features,)`, `(channels, height, width)`, and `()` for a label. In
formulas, `v` is the input. `ganzoo layers` lists them, including those of plugins, and `ganzoo
layers NAME` shows one. In Python, import them from `ganzoo.spec`; in a YAML or JSON file, give the
kind with the settings, `{kind: conv, channels: 64}`, or, for a layer without settings, just the
kind, `relu`.

A plugin adds its own: [plugins.md](plugins.md#a-layer-of-your-own).
"""


SPEC_INTRO = """\
# The Spec file

What a YAML or JSON file for `ganzoo train FILE` consists of: every field with its default, and
every kind. [papers.md](papers.md) has ten whole files. Layers are in [layers.md](layers.md), and
the functions of expressions in [functions.md](functions.md). `ganzoo check FILE` validates a file
by a dry run, `ganzoo show FILE` prints its mathematics with the optimizer of each update and the
shapes and taps of its networks, and `ganzoo explain FILE` what a round computes. All three also
take a variant, a run or a published model.

Headings have the name in Python, from `ganzoo.spec`, and the kind in files. `init`, `weight` and
layers without settings are just the kind: `init: orthogonal`.

## Expressions

Terms of losses, lets, states and tasks are strings:

| written | meaning |
| --- | --- |
"""

RUN_WORDS = ", ".join(f"`{word}`" for word in numbers.RUN)
HOST_WORDS = ", ".join(f"`{word}`" for word in numbers.HOST)
EXPRESSIONS = (
    ("`0.5`, `1e-4`", "numbers"),
    ("`x`, `fake`, `k`", "draws, lets, states"),
    (
        "`+ - * /`, `<`, `>`",
        "element by element; a comparison is 1 or 0. Operands have one shape, or one is a number, "
        "or one is a state and the other a batch of its shape. `expand(a, x)` repeats one number "
        "per sample to the shape of x.",
    ),
    ("`D(x, y)`", "the output of a network"),
    ("`D.features(x)`", "the value at a tap of a network"),
    ("`G.ema(z)`", "a network with its averaged weights, in evaluation mode"),
    ("`bce(D(x), 1)`", "a function"),
    (
        "`grad(y, x)`",
        "the gradient of y with respect to x, per sample, in the shape of x; y may be any "
        "expression that contains x. In a loss of D, `grad(D(x), x)` refuses batch norm in D, "
        "which mixes the samples.",
    ),
    (
        RUN_WORDS,
        "words of the run: rounds completed and images seen in this stage, the completed fraction "
        "of the stage, and samples in a batch",
    ),
)
EXPRESSIONS_END = f"""
Equal expressions in an update are one value, computed once. To apply a network with other dropout,
give it noise as a further input (`dropout` has `noise`).

Inside `{{...}}` and `[...]`, YAML ends a value at a comma, so an expression that has one is quoted:
`minimize: {{real: "bce(D(x), 1)", fake: mean(D(fake))}}`. On a line of its own, it needs no quotes.

Numbers of optimizers and of `ema` may be expressions of the words of the run, such as
`lr: cosine(progress, 2e-4, 0)`, with the functions {HOST_WORDS}.
"""

KINDS: dict[str, tuple[str, list[type[Frozen]]]] = {
    "The file": ("", [Spec]),
    "Draws": (
        "The values of `draws`, by name: fields of the data, and noise. Each update draws anew.",
        [*get_args(draws.AnyDraw)],
    ),
    "Networks": (
        "`init` of a network is one of the kinds `default` to `orthogonal`, and `weight` of a "
        "network or layer one of `plain` to `weight_norm`.",
        [
            network.Network, network.Default, network.Gaussian, network.Xavier, network.He,
            network.LeCun, network.Orthogonal, Plain, Spectral, Equalized, WeightNorm,
        ],
    ),
    "State": (
        "Values that persist from round to round. They change after a round, all together, from "
        "their values before it. Of a value that several updates compute, such as "
        "`made: mean(D(fake))` in those of D and of G, they read the last, here after D has "
        "stepped. To read the first, give D's update an expression of its own, "
        "`before: mean(1 * D(fake))`, and name it in `next`, too. Updates in `together` compute "
        "one value, before any of them steps.",
        [*STATES.values()],
    ),
    "Rounds": (
        "`round` is a list of updates, and `steps` the number of rounds; `stages` is a list of "
        "both. Updates in `together` step at the same time.",
        [Update, Together, Stage],
    ),
    "Optimizers": ("`optimizer` of an update.", [*OPTIMIZERS.values(), Decay]),
    "Averages": (
        "`ema` gives networks a moving average: `{G: 0.999}` is a decay per round.",
        [HalfLife],
    ),
    "Tasks": ("What the trained model can do, by name.", [Task]),
}  # fmt: skip
"""The parts of a Spec: an introduction and the classes of each section."""


def of_part(part: type[Frozen]) -> str:
    """A class of a Spec as a section: fields with defaults, and its docstring."""
    fields = part.model_fields
    kind = fields["kind"].default if "kind" in fields and not fields["kind"].is_required() else ""
    shown = ", ".join(
        name if field.is_required() else f"{name}={_shown(field.get_default())}"
        for name, field in fields.items()
        if name != "kind" or not kind
    )
    text, _, arguments = inspect.cleandoc(part.__doc__ or "").partition("\nArgs:\n")
    arguments, _, rest = arguments.partition("\n\n")
    items = [
        f"- {', '.join(f'`{name}`' for name in names.split(', '))}: {' '.join(about.split())}"
        for names, about in _arguments(inspect.cleandoc(arguments))
    ]
    title = f"### {part.__name__}" + (f" (`{kind}`)" if kind else "")
    code = f"```python\n{part.__name__}({shown})\n```"
    return "\n\n".join(filter(None, (title, code, text.strip(), "\n".join(items), rest)))


def _arguments(text: str) -> list[tuple[str, str]]:
    """The names and descriptions of a docstring's arguments."""
    parts = re.split(r"(?m)^(?=\w[\w, ]*: )", text)
    return [(names, about) for names, _, about in (part.partition(": ") for part in parts if part)]


def _shown(value: Any) -> str:
    if isinstance(value, Frozen):
        value = value.model_dump()["kind"]
    if value is None or value is PydanticUndefined:  # the latter has a factory
        return "{}" if value is PydanticUndefined else "None"
    return repr(value).replace("'", '"')


def spec_page() -> str:
    sections: list[str] = []
    for title, (about, parts) in KINDS.items():
        sections += [f"## {title}", *filter(None, [about]), *map(of_part, parts)]
    rows = "".join(f"| {written} | {meaning} |\n" for written, meaning in EXPRESSIONS)
    return page(SPEC_INTRO + rows + EXPRESSIONS_END, sections)


def entry(word: Word, title: str) -> str:
    """One word as a section of its page."""
    parts = [f"## {title}", f"```python\n{word.signature}\n```", word.summary, word.more]
    parts.append(f"$${word.formula}$$" if word.formula else "")
    notes = [f"{name.capitalize()}: {text}." for name, text in word.notes.items()]
    if word.source:
        notes.append(f"Source: {source(word.source)}.")
    parts += ["\n".join(f"- {note}" for note in notes)]
    parts.append(f"Example:\n\n```python\n{word.example}\n```" if word.example else "")
    return "\n\n".join(filter(None, parts))


def source(text: str) -> str:
    number = text.removeprefix("arXiv:")
    return f"[{text}](https://arxiv.org/abs/{number})" if number != text else text


def page(intro: str, sections: Iterable[str]) -> str:
    return "\n\n".join([intro.rstrip(), *sections]) + "\n"


def pages() -> dict[Path, str]:
    """The text of each page."""
    functions = map(of_function, FUNCTIONS.values())
    layers = map(of_layer, LAYERS.values())
    return {
        DOCS / "spec-files.md": spec_page(),
        DOCS / "functions.md": page(FUNCTIONS_INTRO, (entry(w, w.name) for w in functions)),
        DOCS / "layers.md": page(
            LAYERS_INTRO,
            (entry(w, f"{w.signature.partition('(')[0]} (`{w.name}`)") for w in layers),
        ),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, "utf-8")
        print(path)
