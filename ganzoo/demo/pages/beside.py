"""The page Side by side: two models, the same seed, their figures and sizes."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

import gradio as gr
import numpy as np

from ganzoo.compare import Column, rows
from ganzoo.demo import inputs, recipes
from ganzoo.demo.address import Field, sharing
from ganzoo.demo.endpoints import MENU, checked_inside, endpoint, on, once, then
from ganzoo.demo.model_registry import Entry, ModelRegistry
from ganzoo.demo.pages import generate
from ganzoo.errors import GanzooError
from ganzoo.metrics import report
from ganzoo.models import store
from ganzoo.nn.build import parameter_count
from ganzoo.spec.spec import Spec

TITLE = "Side by side"
COUNT = 40


def fits(spec: Spec) -> bool:
    """Whether it generates from noise and classes only."""
    return generate.fits(spec)


# ------------------------------------------------------------------------------- functions


def side_by_side(
    registry: ModelRegistry, model: Any, beside: Any, seed: Any = 0, count: Any = COUNT
) -> tuple[str, str, str]:
    """Samples of two models for the same seed, and a comparison.

    model, beside: names of /models with the task generate. The others as in /generate. Returns
    two PNGs; and a table in Markdown: data, sizes, and figures, the better one bold if both were
    measured with the same protocol.
    """
    names = (model, beside)
    first, second = (generate.generate(registry, name, seed, count) for name in names)
    columns = [_column(registry, registry.entry(name, fits)) for name in names]
    return first, second, _table(columns)


def _column(registry: ModelRegistry, entry: Entry) -> Column:
    model = registry.model(entry.name)
    try:
        found = report.read(entry.folder)
    except GanzooError:  # of another kind of run
        found = None
    stale = found is not None and found.weights != model.weights_sha256
    return Column(
        asked=recipes.name_of(entry),
        name=entry.name,
        title=entry.spec.title,
        data=entry.data,
        parameters={name: parameter_count(net) for name, net in model.networks.items()},
        size=(entry.folder / store.WEIGHTS).stat().st_size,
        mathematics="",
        sheet=None,
        reason="",
        report=None if stale else found,
        stale=stale,
    )


def _table(columns: list[Column]) -> str:
    lines = ["| figure | " + " | ".join(_text(one.name) for one in columns) + " | comparison |"]
    lines += ["| --- | " + "---: | " * len(columns) + "--- |"]
    facts = [one.facts for one in columns]
    for word in facts[0]:
        lines.append(f"| {word} | " + " | ".join(_text(one[word]) for one in facts) + " | |")
    figures = rows(columns)
    reasons: dict[str, None] = {}
    for row in figures:
        # the reason is often the same for all rows, and too long for a column on a phone
        order, colon, reason = row.order.partition(": ")
        if colon:
            reasons[reason] = None
        values = [
            "" if figure is None else f"**{figure.value:.4g}**" if best else f"{figure.value:.4g}"
            for figure, best in zip(row.figures, row.best, strict=True)
        ]
        name = _text(report.title_of(row.name))
        lines.append(f"| {name} | " + " | ".join(values) + f" | {_text(order)} |")
    if not figures:
        lines.append("| figures | " + " | ".join(_text(one.measured) for one in columns) + " | |")
    lines += [f"\nNot comparable: {_text(reason)}." for reason in reasons]
    return "\n".join(lines)


def _text(text: str) -> str:
    """Text escaped for a cell of a Markdown table."""
    return re.sub(r"([\\`*_{}\[\]<>|$#])", r"\\\1", " ".join(text.split()))


def again_of(registry: ModelRegistry, *settings: Any) -> tuple[str, str]:
    """The Python and the command that reproduce the comparison."""
    names = [recipes.name_of(registry.entry(name, fits)) for name in settings[:2]]
    python = "\n".join([
        "from ganzoo.compare import column, save",
        "",
        f"save([column(name) for name in {names}], \"compare.html\")",
    ])  # fmt: skip
    return python, recipes.shown("ganzoo", "compare", *names)


# ------------------------------------------------------------------------------------ page


def comparable(registry: ModelRegistry, names: list[str]) -> tuple[str, str]:
    """The first two models of one data set, whose figures can be compared; else the first two."""
    data = {name: registry.entry(name).data for name in names}
    pairs = ((one, other) for one, other in combinations(names, 2) if data[one] == data[other])
    return next(pairs, (names[0], names[1 % len(names)]))


def page(registry: ModelRegistry, opened: Any) -> list[Field]:
    """Lay out the page, which fills when `opened` happens; the settings of its address."""
    names = registry.names(fits)
    first, other = comparable(registry, names)
    looks: dict[str, Any] = {
        "interactive": False, "format": "png", "elem_classes": "picture",
        "buttons": ["download", "fullscreen"],
    }  # fmt: skip
    with gr.Row(equal_height=False):
        seed = gr.Number(
            0, label="Seed of both", precision=0, minimum=0, maximum=inputs.LARGEST_SEED,
            min_width=120,
        )  # fmt: skip
        count = gr.Slider(1, generate.MOST, COUNT, step=1, label="How many", min_width=160)
    again = gr.Button("Another seed", variant="primary", elem_id="beside-another")
    with gr.Row(equal_height=False):
        with gr.Column(min_width=280):
            model = gr.Dropdown(names, value=first, label="First model", **MENU)
            left = gr.Image(label="Samples of the first model", elem_id="beside-one", **looks)
        with gr.Column(min_width=280):
            beside = gr.Dropdown(names, value=other, label="Second model", **MENU)
            right = gr.Image(label="Samples of the second model", elem_id="beside-other", **looks)
    table = gr.Markdown(elem_id="beside-table", container=True)
    shared = gr.Column(min_width=0)
    checked_inside(model, beside, seed, count)

    compare = endpoint(side_by_side, registry)
    wanted, shown = [model, beside, seed, count], [left, right, table]
    on([model.input, beside.input, seed.submit, seed.blur, count.release], compare, wanted, shown,
       name="side_by_side", trigger_mode="always_last")  # fmt: skip
    once(opened, compare, wanted, shown)
    another = on(again.click, lambda: int(np.random.default_rng().integers(100_000)), [], [seed])
    then(another, compare, wanted, shown)
    fields = [
        Field("model", model, offered=lambda known: registry.names(fits), model=fits),
        Field(
            "beside", beside, offered=lambda known: registry.names(fits), model=fits,
            initial=lambda known: known["beside"],
        ),
        Field("seed", seed),
        Field("count", count),
    ]  # fmt: skip
    with shared:
        sharing(TITLE, fields, [table.change], recipe=endpoint(again_of, registry))
    return fields
