"""The page Learn: a model's mathematics, its plan, its networks, its figures and its card."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import gradio as gr
from PIL import Image

from ganzoo.data.picture_files import counted
from ganzoo.demo import diagrams, outputs, recipes
from ganzoo.demo.address import Field, sharing
from ganzoo.demo.endpoints import MENU, checked_inside, endpoint, on
from ganzoo.demo.model_registry import Entry, ModelRegistry
from ganzoo.errors import GanzooError, StoreError
from ganzoo.hub.remote import MAX_SIZE
from ganzoo.metrics import report
from ganzoo.nn.build import build, parameter_count
from ganzoo.publish.card import CAPTIONS, card, sources
from ganzoo.reading import content
from ganzoo.spec import latex, vocabulary
from ganzoo.spec.spec import Spec

TITLE = "Learn"
MATHS = [
    {"left": "$$", "right": "$$", "display": True},
    {"left": "$", "right": "$", "display": False},
]
LARGEST_CARD = 200_000
"""The most characters of a README.md that are shown."""


def fits(spec: Spec) -> bool:
    """Always true: every model can be inspected."""
    return True


# ------------------------------------------------------------------------------- functions


def mathematics_of(registry: ModelRegistry, model: Any) -> str:
    """The losses of a model as LaTeX, and the meaning of their functions, in Markdown.

    model: any name of /models.
    """
    spec = registry.entry(model).spec
    where = sources(spec.source, _text)
    title = f"## {_text(spec.title or 'Untitled')}" + (f" ({where})" if where else "")
    tasks = "\n".join(f"- {name}: `{task.output}`" for name, task in spec.tasks.items())
    parts = [
        title,
        f"$$\n{latex.latex(spec)}\n$$",
        _definitions(spec),
        f"Tasks:\n\n{tasks}",
    ]
    return "\n\n".join(part for part in parts if part)


def spec_of(registry: ModelRegistry, model: Any) -> str:
    """The Spec of a model as plain text. model: any name of /models."""
    return latex.text(registry.entry(model).spec)


def plan(registry: ModelRegistry, model: Any) -> tuple[str, str]:
    """The computations of a training round, what they share, and their cost.

    model: any name of /models. Returns a table in Markdown, and the Python code of the round.
    """
    return _plan(registry.entry(model).spec)


def architecture(registry: ModelRegistry, model: Any) -> str:
    """The networks of a model, layer by layer, in Markdown. model: any name of /models."""
    entry = registry.entry(model)
    nets = build(entry.spec)
    parts: list[str] = []
    for name, network in entry.spec.networks.items():
        published = "" if name in entry.spec.published else ", not published"
        rows = [
            f"## {name} · {parameter_count(nets[name]):,} parameters{published}",
            "",
            "| layer | |",
            "| --- | --- |",
        ]
        for path, layer in network.walk():
            rows.append(f"| `{path}` | {_text(latex.layer_text(layer))} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


def diagram(registry: ModelRegistry, model: Any) -> str:
    """The networks of a model as a diagram with shapes, in HTML. model: any name of /models."""
    spec = registry.entry(model).spec
    return diagrams.networks(spec, build(spec))


def losses(registry: ModelRegistry, model: Any) -> str:
    """The terms of a model's losses, and what each reads and trains, in HTML.

    model: any name of /models.
    """
    return diagrams.losses(registry.entry(model).spec)


def figures(registry: ModelRegistry, model: Any) -> tuple[str, list[tuple[str, str]]]:
    """The figures of a model with their references, and its pictures.

    model: any name of /models. Returns a table in Markdown, and a gallery of PNGs.
    """
    entry = registry.entry(model)
    try:
        found = report.read(entry.folder)
    except GanzooError:  # of another kind of run
        found = None
    rows = ["| figure | value | references | description |", "| --- | ---: | --- | --- |"]
    for key, figure in (found.figures if found else {}).items():
        way = {"lower": " (lower is better)", "higher": " (higher is better)", "": ""}
        beside = ", ".join(f"{word} {value:.4g}" for word, value in figure.references.items())
        said = _text(figure.about) + way[figure.better]
        name = _text(key.replace("_", " "))
        rows.append(f"| {name} | **{figure.value:.4g}** | {_text(beside)} | {said} |")
    table = (
        "\n".join(rows) if found else (f"Not measured yet; run `ganzoo eval {_text(entry.name)}`.")
    )
    return table, list(_pictures(entry))


def card_of(registry: ModelRegistry, model: Any) -> str:
    """The card of a model in Markdown, without its pictures. model: any name of /models."""
    entry = registry.entry(model)
    path = entry.folder / "README.md"
    try:
        text = content(path, MAX_SIZE).decode("utf-8")[:LARGEST_CARD]
    except (StoreError, UnicodeDecodeError):
        text = card(registry.model(model))
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    # pictures stand beside it, and none is fetched from elsewhere
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)\n*|!\[[^\]]*\]\[[^\]]*\]", "", text)
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)


# one for each Spec that anybody looked at of late; a Spec hashes by what it says
@lru_cache(maxsize=64)
def _plan(spec: Spec) -> tuple[str, str]:
    from ganzoo.engine.explain import (
        explain,  # seconds of torch's that would delay the start
    )

    parts: list[str] = []
    code: list[str] = []
    for item in explain(spec):
        title = ", ".join(filter(None, (f"stage {item.stage}", item.pattern)))
        rows = [
            f"## {_text(title)}: {counted(item.round.updates, 'update')} in a round",
            "",
            "| network | passes | in a plain loop | trained | gradients pass | without graph |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
        ]
        for name, passes in item.passes.items():
            rows.append(
                f"| {name} | {passes.total} | {item.plain_passes[name]} | {passes.trained} "
                f"| {passes.through} | {passes.free} |"
            )
        share = item.flops / item.plain_flops if item.plain_flops else 1.0
        rows += [
            "",
            f"{item.flops / 1e9:.2f} GFLOP per round of batch {spec.batch}, {share:.0%} of the "
            f"{item.plain_flops / 1e9:.2f} of a plain loop, which shares no passes and computes "
            "all gradients.",
        ]
        parts.append("\n".join(rows))
        code.append(f"# {title}\n{item.round.code}")
    return "\n\n".join(parts), "\n\n".join(code)


def _definitions(spec: Spec) -> str:
    used = {name for _, text in spec.expressions() for name in spec.names_in(text)}
    rows = [
        f"- `{function.signature}`: {_text(function.summary)} ${function.formula}$"
        for name in sorted(used - set(spec.networks))
        if (function := vocabulary.function(name)) and function.formula
    ]
    return "\n".join(rows)


def _pictures(entry: Entry) -> Iterator[tuple[str, str]]:
    """The valid pictures of its folder, as files of the app."""
    for name, caption in CAPTIONS.items():
        try:
            picture = content(entry.folder / name, MAX_SIZE)
            with Image.open(io.BytesIO(picture), formats=["PNG"]) as file:
                file.verify()
        except (StoreError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            continue
        yield outputs.keep(picture, ".png"), caption.format(name=entry.name)


def _text(text: str) -> str:
    """Text escaped for Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>|$#])", r"\\\1", text)


def again_of(registry: ModelRegistry, model: Any) -> tuple[str, str]:
    """The Python and the command that print the same about a model."""
    entry = registry.entry(model)
    python = recipes.lines(
        entry, "from ganzoo.spec import latex", "print(latex.text(model.spec))"
    )  # fmt: skip
    return python, recipes.command("eval", entry)


# ------------------------------------------------------------------------------------ page


def page(registry: ModelRegistry, opened: Any) -> list[Field]:
    """Lay out the page, which fills when `opened` happens; the settings of its address."""
    names = registry.names(fits)
    model = gr.Dropdown(names, value=names[0], label="Model", elem_id="learn-model", **MENU)
    with gr.Tabs():
        with gr.Tab("Mathematics"):
            maths = gr.Markdown(latex_delimiters=MATHS, container=True, elem_id="mathematics")
            with gr.Accordion("Full Spec", open=False):
                spec = gr.Code(label="Spec", interactive=False, lines=5, show_line_numbers=False)
        with gr.Tab("Losses"):
            touched = gr.HTML(
                css_template=diagrams.STYLE, js_on_load=diagrams.LIGHT, container=True,
                padding=True, elem_id="losses",
            )  # fmt: skip
        with gr.Tab("A round"):
            rounds = gr.Markdown(container=True, elem_id="plan")
            code = gr.Code(
                language="python", interactive=False, label="The Python that runs", elem_id="code"
            )
        with gr.Tab("Networks"):
            drawn = gr.HTML(
                css_template=diagrams.STYLE, container=True, padding=True, elem_id="diagram"
            )
            with gr.Accordion("Layer by layer", open=False):
                networks = gr.Markdown(container=True, elem_id="networks")
        with gr.Tab("Figures"):
            table = gr.Markdown(container=True, elem_id="figures")
            shown = gr.Gallery(
                label="Pictures", columns=2, height="auto", format="png",
                elem_id="figure-pictures", buttons=["fullscreen"], object_fit="contain",
            )  # fmt: skip
        with gr.Tab("Card"):
            words = gr.Markdown(latex_delimiters=MATHS, container=True, elem_id="card")
    checked_inside(model)
    for name, function, places in (
        ("mathematics", mathematics_of, [maths]),
        ("spec", spec_of, [spec]),
        ("plan", plan, [rounds, code]),
        ("losses", losses, [touched]),
        ("diagram", diagram, [drawn]),
        ("architecture", architecture, [networks]),
        ("figures", figures, [table, shown]),
        ("card", card_of, [words]),
    ):
        on([opened, model.input], endpoint(function, registry), [model], places, name=name,
           show_progress="hidden")  # fmt: skip
    fields = [Field("model", model, offered=lambda known: registry.names(fits), model=fits)]
    sharing(TITLE, fields, [maths.change], recipe=endpoint(again_of, registry))
    return fields
