"""The page Encode: reconstructions, and interpolation between two pictures."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from ganzoo.demo import inputs, outputs, recipes
from ganzoo.demo.address import Field, sharing
from ganzoo.demo.endpoints import MENU, checked_inside, endpoint, on, once, then
from ganzoo.demo.examples import NEXT, Examples
from ganzoo.demo.model_registry import ModelRegistry
from ganzoo.errors import TaskError
from ganzoo.models.latents import between
from ganzoo.models.model import Model
from ganzoo.spec.draws import NOISE, Image
from ganzoo.spec.spec import Spec

TITLE = "Encode"
STEPS = 9
"""The number of pictures of an interpolation."""


def fits(spec: Spec) -> bool:
    """Whether it reconstructs pictures."""
    return _task(spec) is not None


def _task(spec: Spec) -> str | None:
    """The first reconstruct task, if its inputs are a picture and at most noise."""
    for name, task in spec.tasks.items():
        if task.kind == "reconstruct":
            draws = [spec.draws[draw] for draw in spec.draws_of(task)]
            given = [draw for draw in draws if not isinstance(draw, NOISE)]
            return name if len(given) == 1 and isinstance(given[0], Image) else None
    return None


def image_of(spec: Spec) -> Image:
    """The image that the task takes."""
    task = spec.tasks[_task(spec) or ""]
    draws = map(spec.draws.__getitem__, spec.draws_of(task))
    return next(draw for draw in draws if isinstance(draw, Image))


# ------------------------------------------------------------------------------- functions


def reconstruct(
    registry: ModelRegistry, model: Any, picture: Any
) -> tuple[tuple[str, str], dict[str, Any]]:
    """The reconstruction of a picture.

    model: a name of /models with the task reconstruct. picture: a file. Returns two PNGs, the
    picture as the model sees it and its reconstruction, and as JSON the mean squared error,
    with values in [0, 1], and how many numbers stand for how many.
    """
    loaded = registry.model(model, fits)
    seen = _seen(loaded, picture)
    again = loaded.reconstruct(seen, output="pt")
    facts: dict[str, Any] = {
        "mean_squared_error": round(float((again - seen).square().mean()), 5),
        "numbers_of_the_picture": seen.numel(),
    }
    if loaded.latent:
        codes = loaded.encode(seen, task=loaded.latent)
        facts["numbers_of_its_code"] = int(codes.shape[1])
    pair = tuple(outputs.png(outputs.sheet(images, width=560)) for images in (seen, again))
    return (pair[0], pair[1]), facts


def mix(
    registry: ModelRegistry, model: Any, picture_a: Any, picture_b: Any, position: Any
) -> tuple[str, str]:
    """Interpolation between two pictures in latent space.

    model: a name of /models with the tasks reconstruct and encode. picture_a, picture_b: files.
    position: 0 (the first) to 1 (the second). Returns two PNGs: the interpolation, and
    nine steps of it.
    """
    loaded = registry.model(model, fits)
    place = inputs.number("position", position, 0, 1)
    if loaded.latent is None:
        raise TaskError(f"{loaded.title} reconstructs, but has no codes to interpolate between")
    codes = [
        loaded.encode(_seen(loaded, picture, what), task=loaded.latent)
        for picture, what in ((picture_a, "first picture"), (picture_b, "second picture"))
    ]
    places = [*np.linspace(0, 1, STEPS), place]
    way = np.concatenate([between(codes[0], codes[1], float(at)) for at in places])
    images = loaded.decode(way, output="pt")
    mixture = outputs.png(outputs.sheet(images[-1:], width=560))
    return mixture, outputs.png(outputs.sheet(images[:-1], columns=STEPS, width=900))


def _seen(model: Model, picture: Any, what: str = "picture") -> Any:
    """The picture as the model takes it: (1, c, h, w) in [0, 1]."""
    return inputs.seen(model, image_of(model.spec), picture, what)


def again_of(registry: ModelRegistry, model: Any, *_: Any) -> tuple[str, str]:
    """The Python and the command that reproduce a reconstruction."""
    entry = registry.entry(model, fits)
    python = recipes.lines(
        entry,
        'again = model.reconstruct("picture.png", output="pt")',
        'save_sheet(again, "again.png")',
    )
    return python, recipes.command("reconstruct", entry, "picture.png")


def mix_again(registry: ModelRegistry, model: Any, position: Any) -> tuple[str, str]:
    """The Python and the command that reproduce an interpolation."""
    entry = registry.entry(model, fits)
    place = inputs.number("position", position, 0, 1)
    python = recipes.lines(
        entry,
        "from ganzoo.models.latents import between",
        'codes = model.encode(["a.png", "b.png"], task=model.latent)',
        f'images = model.decode(between(codes[:1], codes[1:], {place:g}), output="pt")',
        'save_sheet(images, "mixture.png")',
    )
    return python, recipes.command("interpolate", entry, "a.png", "b.png")


# ------------------------------------------------------------------------------------ page


def page(registry: ModelRegistry, opened: Any, examples: Examples) -> list[Field]:
    """Lay out the page, which fills when `opened` happens; the settings of its address."""
    names = registry.names(fits)
    looks: dict[str, Any] = {
        "interactive": False, "format": "png", "elem_classes": "picture",
        "buttons": ["download", "fullscreen"],
    }  # fmt: skip
    taken: dict[str, Any] = {
        "type": "filepath", "image_mode": None, "sources": ["upload", "clipboard"],
        "elem_classes": "taken",
    }  # fmt: skip
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=280):
            model = gr.Dropdown(names, value=names[0], label="Model", **MENU)
            picture = gr.Image(label="Picture", height=246, elem_id="encode-input", **taken)
            shown = gr.Gallery(
                label="Examples", columns=5, height="auto", allow_preview=False, format="png",
                buttons=[], elem_id="encode-examples", elem_classes="examples",
            )  # fmt: skip
            go = gr.Button(NEXT, variant="primary", elem_id="reconstruct")
            turn = gr.State(0)
        with gr.Column(scale=1, min_width=320):
            pair = gr.ImageSlider(
                label="Picture and reconstruction: drag the handle", type="filepath", format="png",
                interactive=False, elem_id="pair", elem_classes="picture", max_height=520,
                buttons=["fullscreen"],
            )  # fmt: skip
            with gr.Accordion("In numbers", open=False):
                facts = gr.JSON(label="In numbers", show_label=False)
            shared = gr.Column(min_width=0)
    gr.Markdown("## Between two pictures", elem_classes="part")
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=280):
            gr.Markdown(
                "Each picture is encoded, and a point between the two codes is decoded. Unlike a "
                "cross-fade of pixels, the steps in between are pictures in their own right.",
                elem_classes="note",
            )
            with gr.Row():
                first = gr.Image(label="First", height=196, min_width=130, **taken)
                second = gr.Image(label="Second", height=196, min_width=130, **taken)
            position = gr.Slider(0, 1, 0.5, step=0.02, label="Position", elem_id="mix-position")
            mixing = gr.Button("Interpolate", variant="primary", elem_id="mix")
        with gr.Column(scale=1, min_width=320):
            mixture = gr.Image(label="Interpolation", elem_id="mixture", **looks)
            way = gr.Image(label="All steps", elem_id="mix-way", **looks)
            shared_way = gr.Column(min_width=0)
    checked_inside(model, position)
    fields = [
        Field("model", model, offered=lambda known: registry.names(fits), model=fits),
        Field("position", position),
    ]

    again, mixed = endpoint(reconstruct, registry), endpoint(mix, registry)
    wanted = [model, first, second, position]
    on(picture.upload, again, [model, picture], [pair, facts], name="reconstruct")
    on(mixing.click, mixed, wanted, [mixture, way], name="mix")
    on(position.release, mixed, wanted, [mixture, way])

    def told(name: Any) -> Any:
        """The examples of a model, and the results for the first ones."""
        entry = registry.entry(name, fits)
        paths = outputs.each(examples.of(entry, image_of(entry.spec)))
        if not paths:
            return gr.Gallery([]), None, None, None, None, None, None, None
        ends = paths[0], paths[-1]
        between_ = mix(registry, name, *ends, 0.5) if registry.model(name).latent else (None, None)
        return gr.Gallery(paths), paths[0], *ends, *reconstruct(registry, name, paths[0]), *between_

    all_ = [shown, picture, first, second, pair, facts, mixture, way]
    once(opened, endpoint(told), [model], all_)
    on(model.input, endpoint(told), [model], all_)

    def example(name: Any, event: gr.SelectData) -> Any:
        entry = registry.entry(name, fits)
        paths = outputs.each(examples.of(entry, image_of(entry.spec)))
        return paths[event.index % len(paths)] if paths else None

    def next_one(name: Any, number: Any) -> Any:
        entry = registry.entry(name, fits)
        paths = outputs.each(examples.of(entry, image_of(entry.spec)))
        number = number + 1 if isinstance(number, int) else 1
        return (paths[number % len(paths)] if paths else None), number

    chosen = on(shown.select, example, [model], [picture])
    for event in (chosen, on(go.click, next_one, [model, turn], [picture, turn])):
        then(event, again, [model, picture], [pair, facts])
    with shared:
        sharing(TITLE, fields, [facts.change], recipe=endpoint(again_of, registry))
    with shared_way:
        sharing(TITLE, fields, [way.change], recipe=endpoint(mix_again, registry), name="mix")
    return fields
