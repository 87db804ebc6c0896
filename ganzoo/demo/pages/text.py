"""The page Text to image: several pictures of a sentence, with all stages."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np
import torch
from torch.nn import functional as F

from ganzoo.demo import inputs, outputs, recipes
from ganzoo.demo.address import Field, sharing
from ganzoo.demo.endpoints import MENU, checked_inside, endpoint, on, once, then
from ganzoo.demo.model_registry import ModelRegistry
from ganzoo.spec.draws import NOISE, Text
from ganzoo.spec.spec import Spec

TITLE = "Text to image"
MOST = 8
"""The most pictures of a sentence."""


def fits(spec: Spec) -> bool:
    """Whether it generates from a sentence."""
    return bool(_tasks(spec))


def _tasks(spec: Spec) -> list[str]:
    """The tasks that generate from a sentence and noise; the first is the main one."""
    found: list[str] = []
    for name, task in spec.tasks.items():
        draws = [spec.draws[draw] for draw in spec.draws_of(task)]
        given = [draw for draw in draws if not isinstance(draw, NOISE)]
        if task.kind == "generate" and len(given) == 1 and isinstance(given[0], Text):
            found.append(name)
    return found


def sentences(spec: Spec) -> tuple[str, ...]:
    """Example sentences from the Spec."""
    return next((draw.examples for draw in spec.draws.values() if isinstance(draw, Text)), ())


# ------------------------------------------------------------------------------- functions


def text_to_image(
    registry: ModelRegistry, model: Any, text: Any, count: Any = 4, seed: Any = 0
) -> tuple[list[str], str]:
    """Pictures of a sentence.

    model: a name of /models with the task text. text: what to draw, at most 500 characters.
    count: 1 to 8. seed: 0 to 2147483647. Returns a gallery of PNGs; and one PNG with the stages
    in rows, the smallest first, where the model draws in stages.
    """
    loaded = registry.model(model, fits)
    said = inputs.sentence(text)
    count = inputs.whole("count", count, 1, MOST)
    number = inputs.seed(seed)
    names = _tasks(loaded.spec)
    drawn = [
        loaded.generate(count, text=said, seed=number, task=name, output="pt") for name in names
    ]
    pictures = [outputs.png(outputs.sheet(one[None], width=420)) for one in drawn[0]]
    drawn.sort(key=lambda images: images.shape[-1])
    largest = drawn[-1].shape[2:]
    rows = [F.interpolate(images, largest, mode="nearest") for images in drawn]
    return pictures, outputs.png(outputs.sheet(torch.cat(rows), columns=count))


def again_of(
    registry: ModelRegistry, model: Any, text: Any, count: Any, seed: Any
) -> tuple[str, str]:
    """The Python and the command that reproduce the pictures."""
    entry = registry.entry(model, fits)
    said, number = inputs.sentence(text), inputs.seed(seed)
    count = inputs.whole("count", count, 1, MOST)
    name = _tasks(entry.spec)[0]
    task = repr(name) if recipes.other_task(entry, name) else None
    given = recipes.arguments(text=repr(said), seed=number, task=task, output='"pt"')
    python = recipes.lines(
        entry,
        f"images = model.generate({count}{given})",
        'save_sheet(images, "samples.png")',
    )
    words = ["--task", name] if task else []
    return python, recipes.command(
        "sample", entry, "-n", count, "--seed", number, "--text", said, *words
    )


# ------------------------------------------------------------------------------------ page


def page(registry: ModelRegistry, opened: Any) -> list[Field]:
    """Lay out the page, which fills when `opened` happens; the settings of its address."""
    names = registry.names(fits)
    some = sentences(registry.entry(names[0]).spec)
    with gr.Row(equal_height=False, elem_classes="seen-first"):
        with gr.Column(scale=1, min_width=280):
            model = gr.Dropdown(names, value=names[0], label="Model", **MENU)
            text = gr.Textbox(
                some[0] if some else "", label="Sentence", lines=2,
                max_length=inputs.MOST_LETTERS, placeholder="what to draw", elem_id="sentence",
            )  # fmt: skip
            tries = gr.Dropdown([*some], value=some[0] if some else None, label="Examples", **MENU)
            count = gr.Slider(1, MOST, 4, step=1, label="How many")
            seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=inputs.LARGEST_SEED)
            go = gr.Button("Draw", variant="primary", min_width=120, elem_id="draw")
            drawn = gr.State(None)
        with gr.Column(scale=2, min_width=320):
            shown = gr.Gallery(
                label="Pictures", columns=4, height="auto", format="png", elem_id="drawn",
                elem_classes="drawn",
                buttons=["download", "fullscreen"], object_fit="contain",
            )  # fmt: skip
            stages = gr.Image(
                label="Stages of the generator, one per row", interactive=False, format="png",
                elem_classes="picture", elem_id="stages", buttons=["download", "fullscreen"],
            )  # fmt: skip
            shared = gr.Column(min_width=0)
    checked_inside(model, text, tries, count, seed)
    fields = [
        Field(
            "model", model, offered=lambda known: registry.names(fits), model=fits
        ),
        Field(
            "text", text,
            initial=lambda known: next(
                iter(sentences(registry.entry(known["model"], fits).spec)), ""
            ),
        ),
        Field("count", count),
        Field("seed", seed),
    ]  # fmt: skip

    wanted = [model, text, count, seed]

    def drawing(*values: Any) -> Any:
        """The pictures, and the settings that they were drawn with."""
        return *text_to_image(registry, *values), list(values)

    on(
        text.submit, endpoint(text_to_image, registry), wanted, [shown, stages],
        name="text_to_image",
    )  # fmt: skip
    on(text.submit, lambda *values: [*values], wanted, [drawn], queue=False)
    draw, places = endpoint(drawing), [shown, stages, drawn]
    once(opened, draw, wanted, places)

    def next_seed(*values: Any) -> Any:
        """The seed that is set; a random one if exactly this is shown already."""
        *asked, last = values
        return int(np.random.default_rng().integers(100_000)) if asked == last else asked[-1]

    begun = on(go.click, next_seed, [*wanted, drawn], [seed])
    then(begun, draw, wanted, places)

    def told(name: Any) -> Any:
        some = sentences(registry.entry(name, fits).spec)
        return gr.Dropdown([*some], value=some[0] if some else None), some[0] if some else ""

    changed = on(model.input, endpoint(told), [model], [tries, text])
    then(changed, draw, wanted, places)
    taken = on(tries.input, lambda sentence: sentence, [tries], [text], queue=False)
    then(taken, draw, wanted, places)
    with shared:
        sharing(TITLE, fields, [stages.change], recipe=endpoint(again_of, registry))
    return fields
