"""The part of Latent map that puts a picture into latent space, and watches it come nearer.

What is found is a point: a text that holds the noise of one sample, and which corner of the map it
takes. It stands in the address like any other setting, so that the server keeps nothing.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import gradio as gr
import numpy as np
import torch

from ganzoo.demo import canvas, inputs, outputs, recipes
from ganzoo.demo.endpoints import checked_inside, endpoint, on, once, then
from ganzoo.demo.examples import NEXT, Examples
from ganzoo.demo.model_registry import ModelRegistry
from ganzoo.demo.pages import generate
from ganzoo.errors import GanzooError, TaskError
from ganzoo.models.latents import noises, of_seed
from ganzoo.models.model import Model
from ganzoo.models.projection import Projection, drawn_image, projecting
from ganzoo.spec.draws import Normal

CORNERS = ("a", "b", "c")
STARTS = 10
"""Tried at once: with ten classes, one start in each."""
MOST_STEPS, LEAST_STEPS = 100, 30
SHOWN = 10
"""Pictures that are shown on the way."""
OPERATIONS = 1.5e11
"""Of one search; a model that is too large for the fewest steps is not searched."""
SECONDS = 8.0
"""After which a search ends with what it has."""
MOST_NUMBERS = 1024
"""Numbers of the noise of one sample that a point holds."""
TRIED = 4
"""Models that are loaded to find one that is searched."""
LONGEST_POINT = 2800
"""Characters of a point."""
FARTHEST = 60.0
"""From zero, of each number of a point."""
SEARCHES: dict[str, Any] = {"concurrency_id": "searches", "concurrency_limit": 1}
"""One at a time, beside all other requests."""


# ---------------------------------------------------------------------------------- points


def point_of(corner: str, noise: Mapping[str, np.ndarray]) -> str:
    """The text of a point: its corner, and its noise in half precision."""
    flat = np.concatenate([rows.reshape(-1) for rows in noise.values()]).astype("<f2")
    return f"{corner}.{base64.urlsafe_b64encode(flat.tobytes()).decode().rstrip('=')}"


def noise_of(model: Model, point: Any) -> tuple[str, dict[str, np.ndarray]] | None:
    """The corner and the noise, float32 (1, ...) by name, of a point; None for "".

    Raises:
        TaskError: it is not a point of this model.
    """
    if point is None or point == "":
        return None
    wrong = TaskError(f"point is what /latent_find gives for {model.title}, or empty")
    if not isinstance(point, str) or len(point) > LONGEST_POINT:
        raise wrong
    corner, _, text = point.partition(".")
    if corner not in CORNERS or not re.fullmatch(r"[\w-]+", text, re.ASCII):
        raise wrong
    try:
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise wrong from None
    task = model.task("generate", generate.task_of(model.spec))
    kinds = noises(model, task)
    shapes = {name: rows.shape for name, rows in of_seed(model, task, 1, 0).items()}
    if len(content) != 2 * sum(map(_size, shapes.values())):
        raise wrong
    numbers = np.frombuffer(content, "<f2").astype(np.float32)
    if not (np.abs(numbers) <= FARTHEST).all():  # nor where one is not a number
        raise wrong
    found: dict[str, np.ndarray] = {}
    first = 0
    for name, shape in shapes.items():
        rows = numbers[first : first + _size(shape)].reshape(shape)
        draw = kinds[name]
        found[name] = rows if isinstance(draw, Normal) else rows.clip(draw.low, draw.high)
        first += _size(shape)
    return corner, found


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape))


def effort(model: Model) -> int:
    """How many steps a model is searched.

    Raises:
        TaskError: too large, or of too much noise.
    """
    task = model.task("generate", generate.task_of(model.spec))
    numbers = sum(rows.size for rows in of_seed(model, task, 1, 0).values())
    if not numbers:
        raise TaskError(f"{model.title} has no noise to search")
    if numbers > MOST_NUMBERS:
        raise TaskError(
            f"{model.title} draws from {numbers:,} numbers; at most {MOST_NUMBERS:,} are "
            f"searched here. On your own machine: {_command(model.title, [])}"
        )
    work = model.work.get(task.output)
    if work is None:
        return LEAST_STEPS
    steps = int(OPERATIONS / max(1, STARTS * work.with_gradients().operations))
    if steps < LEAST_STEPS:
        raise TaskError(
            f"{model.title} is too large to be searched here. On your own machine: "
            f"{_command(model.title, [])}"
        )
    return min(MOST_STEPS, steps)


def first_searched(registry: ModelRegistry, names: Sequence[str]) -> str:
    """The first of these models that is small enough to be searched here; else the first."""
    for name in names[:TRIED]:
        with suppress(GanzooError):
            effort(registry.model(name, generate.fits))
            return name
    return names[0]


def _command(name: str, words: list[Any]) -> str:
    return recipes.shown("ganzoo", "project", name, "picture.png", *words)


# ------------------------------------------------------------------------------- functions

Found = Iterator[tuple[str, str, dict[str, Any]]]


def latent_find(registry: ModelRegistry, model: Any, picture: Any, corner: Any = "a") -> Found:
    """Look for noise that draws a picture, by gradient descent.

    model: a name of /models on the page Latent map. picture: a file. corner: a, b or c, which the
    point takes on the map. Yields some ten times, at most eight seconds long: a PNG of the picture
    as the model sees it beside the nearest sample; words; and JSON: step, steps, error and
    error_at_start (mean squared, of values in [0, 1]), label (null without classes) and point,
    the text that /latent_map and /latent_sample take.
    """
    loaded = registry.model(model, generate.fits)
    corner = inputs.one_of("corner", corner, CORNERS)
    steps = effort(loaded)
    draw = drawn_image(loaded, loaded.task("generate", generate.task_of(loaded.spec)))
    yield from _searched(loaded, inputs.seen(loaded, draw, picture), corner, steps)


def latent_find_drawing(
    registry: ModelRegistry, examples: Examples, model: Any, corner: Any, drawing: Any
) -> Found:
    """The same of a drawing: a PNG as a data URL, ink being what is not transparent."""
    loaded = registry.model(model, generate.fits)
    corner = inputs.one_of("corner", corner, CORNERS)
    steps = effort(loaded)
    draw = drawn_image(loaded, loaded.task("generate", generate.task_of(loaded.spec)))
    ground = examples.dark(registry.entry(model), draw)
    ink = canvas.inked(drawing, draw.size, ground)
    yield from _searched(loaded, loaded.seen(ink, draw), corner, steps)


def _searched(model: Model, seen: torch.Tensor, corner: str, steps: int) -> Found:
    began = time.monotonic()
    name = generate.task_of(model.spec)
    every = max(1, steps // SHOWN)
    for found in projecting(model, seen, steps=steps, starts=STARTS, task=name, every=every):
        over = found.step < steps and time.monotonic() - began > SECONDS
        yield _shown(model, seen, found, corner, steps, over)
        if over:
            return


def _shown(
    model: Model, seen: torch.Tensor, found: Projection, corner: str, steps: int, over: bool
) -> tuple[str, str, dict[str, Any]]:
    pair = np.concatenate([seen.cpu().numpy(), found.images])
    error, before = float(found.errors[0]), float(found.starting[0])
    label = None if found.labels is None else int(found.labels[0])
    facts = {
        "step": found.step, "steps": steps, "error": round(error, 6),
        "error_at_start": round(before, 6), "label": label,
        "point": point_of(corner, found.noise),
    }  # fmt: skip
    draw = generate.classes(model.spec)
    named = "" if label is None or draw is None else (
        f" Drawn as class {draw.names[label] if draw.names else label}."
    )  # fmt: skip
    state = f"Step {found.step} of {steps}"
    if found.step == steps:
        state = f"Found after {steps} steps"
    elif over:
        state = f"Stopped after {found.step} of {steps} steps, at the time limit"
    words = (
        f"**{state}.** Mean squared error {error:.4f}; {before:.4f} at the best of {STARTS} "
        f"random starts.{named}"
    )
    return outputs.png(outputs.sheet(pair, columns=2, width=560)), words, facts


def find_again(registry: ModelRegistry, model: Any, *_: Any) -> tuple[str, str]:
    """The Python and the command that look for a picture again; of a model that is too large to
    be searched here, those that look for it elsewhere."""
    entry = registry.entry(model, generate.fits)
    try:
        steps = effort(registry.model(model, generate.fits))
    except TaskError:
        steps = MOST_STEPS
    name = generate.task_of(entry.spec)
    other = recipes.other_task(entry, name)
    given = recipes.arguments(task=repr(name) if other else None)
    python = recipes.lines(
        entry,
        "from ganzoo.models.projection import project",
        f'found = project(model, "picture.png", steps={steps}, starts={STARTS}{given})',
        "print(found.errors, found.starting, found.labels)",
        'save_sheet(found.images, "nearest.png")',
    )
    words = ["--steps", steps, "--starts", STARTS, *(["--task", name] if other else [])]
    return python, recipes.command("project", entry, "picture.png", *words)


# ------------------------------------------------------------------------------------ page


def part(
    registry: ModelRegistry, opened: Any, examples: Examples, model: gr.Dropdown
) -> tuple[list[Any], gr.JSON, gr.Column]:
    """Lay out the part, which fills when `opened` happens.

    Args:
        model: the menu of the page.

    Returns:
        the events of searches, the component that has what they found, and where the link and
        the recipe of a search stand.
    """
    gr.Markdown("## Your picture on the map", elem_classes="part")
    gr.Markdown(
        "Upload or draw a picture. Gradient descent from ten random starts looks for the noise "
        "that reproduces it best, which then replaces the seed of one corner of the map. A picture "
        "unlike the training data becomes the nearest one that the model can draw.",
        elem_classes="note",
    )
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=280), gr.Tabs():
            with gr.Tab("A picture"):
                picture = gr.Image(
                    type="filepath", image_mode=None, label="Picture", height=226,
                    sources=["upload", "clipboard"], elem_id="find-input", elem_classes="taken",
                )  # fmt: skip
                offered = gr.Gallery(
                    label="Examples", columns=5, height="auto", allow_preview=False,
                    format="png", buttons=[], elem_id="find-examples", elem_classes="examples",
                )  # fmt: skip
                go = gr.Button(NEXT, variant="primary", elem_id="find")
                turn = gr.State(-1)
            with gr.Tab("Draw"):
                drawing, drawn = canvas.tab("find-drawing", "Find it", "find-drawn")
        with gr.Column(scale=1, min_width=320):
            corner = gr.Radio(
                [(letter.upper(), letter) for letter in CORNERS], value="a",
                label="Corner to replace", elem_id="find-corner",
            )  # fmt: skip
            with gr.Column(visible=False, min_width=0) as result:
                watched = gr.Image(
                    label="The picture, and the nearest that the model draws", format="png",
                    interactive=False, elem_id="found", elem_classes="picture",
                    buttons=["download", "fullscreen"],
                )  # fmt: skip
                said = gr.Markdown(elem_classes="note", elem_id="find-said")
                with gr.Accordion("In numbers", open=False):
                    facts = gr.JSON(label="In numbers", show_label=False)
                shared = gr.Column(min_width=0)
    checked_inside(corner, drawing)
    found = [watched, said, facts]
    find = endpoint(latent_find, registry)
    find_drawing = endpoint(latent_find_drawing, registry, examples)

    def some(name: Any) -> list[str]:
        loaded = registry.model(name, generate.fits)
        draw = drawn_image(loaded, loaded.task("generate", generate.task_of(loaded.spec)))
        return outputs.each(examples.of(registry.entry(name), draw)[:5])

    def told(name: Any) -> Any:
        paths = some(name)
        return gr.Gallery(paths), paths[0] if paths else None, -1, gr.Column(visible=False)

    def taken(name: Any, event: gr.SelectData) -> Any:
        paths = some(name)
        return paths[event.index % len(paths)] if paths else None

    def next_one(name: Any, number: Any) -> Any:
        paths = some(name)
        number = number + 1 if isinstance(number, int) else 0
        return (paths[number % len(paths)] if paths else None), number

    first = [offered, picture, turn, result]
    once(opened, endpoint(told), [model], first)
    on(model.input, endpoint(told), [model], first)
    for trigger in (picture.upload, offered.select, go.click, drawn.click):
        on(trigger, lambda: gr.Column(visible=True), [], [result], queue=False)
    given = [model, picture, corner]
    chosen = on(offered.select, endpoint(taken), [model], [picture])
    another = on(go.click, endpoint(next_one), [model, turn], [picture, turn])
    return [
        on(picture.upload, find, given, found, name="latent_find", **SEARCHES),
        on(
            drawn.click, find_drawing, [model, corner, drawing], found,
            name="latent_find_drawing", js=canvas.taken("find-drawing"), **SEARCHES,
        ),
        then(chosen, find, given, found, succeeded=True, **SEARCHES),
        then(another, find, given, found, succeeded=True, **SEARCHES),
    ], facts, shared  # fmt: skip
