"""The page Generate: samples of a seed, and what lies between two seeds."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from ganzoo.demo import inputs, outputs
from ganzoo.demo.endpoints import MENU, checked_inside, endpoint, on, then
from ganzoo.demo.model_registry import ModelRegistry
from ganzoo.models.latents import between, of_seed
from ganzoo.models.model import Model
from ganzoo.spec.draws import NOISE, Label, Normal, Uniform
from ganzoo.spec.spec import Spec

TITLE = "Generate"
MOST = 144
"""Pictures on a sheet."""
COUNT = 60
MOVING = 12
"""Pictures that move between two seeds."""


def fits(spec: Spec) -> bool:
    """Whether it draws from noise and classes alone."""
    return _task(spec) is not None


def _task(spec: Spec) -> str | None:
    """The first task that generates from noise and at most classes."""
    for name, task in spec.tasks.items():
        draws = [spec.draws[draw] for draw in spec.draws_of(task)]
        noise = any(isinstance(draw, NOISE) for draw in draws)
        given = [draw for draw in draws if not isinstance(draw, NOISE)]
        labels = len(given) <= 1 and all(isinstance(draw, Label) for draw in given)
        if task.kind == "generate" and noise and labels:
            return name
    return None


def classes(spec: Spec) -> Label | None:
    """The classes that the task takes, if any."""
    name = _task(spec)
    draws = spec.draws_of(spec.tasks[name]) if name else ()
    return next((d for d in map(spec.draws.__getitem__, draws) if isinstance(d, Label)), None)


def menu_of_classes(spec: Spec) -> list[tuple[str, str]]:
    """What the menu of classes offers, and what each choice sends."""
    draw = classes(spec)
    if draw is None:
        return [("each in turn", "")]
    names = draw.names or tuple(map(str, range(draw.classes)))
    return [("each in turn", ""), *((name, str(index)) for index, name in enumerate(names))]


# ------------------------------------------------------------------------------- functions


def generate(
    registry: ModelRegistry,
    model: Any,
    seed: Any,
    count: Any,
    label: Any = "",
    truncation: Any = 1.0,
) -> str:
    """Draw samples of a seed as one sheet.

    model: a name of /models with the task generate. seed: 0 to 2147483647. count: 1 to 144.
    label: a class by number or name, or "" for each in turn; of no matter where the model has
    none. truncation: 0.05 to 1.5; the noise is scaled by it: less is plainer, 1 as trained.
    Returns a PNG.
    """
    loaded = registry.model(model, fits)
    count = inputs.whole("count", count, 1, MOST)
    noise = noise_of(loaded, count, inputs.seed(seed), truncation)
    return outputs.png(outputs.sheet(*_drawn(loaded, count, label, noise)))


def interpolate(
    registry: ModelRegistry,
    model: Any,
    seed_a: Any,
    seed_b: Any,
    position: Any,
    label: Any = "",
    truncation: Any = 1.0,
) -> str:
    """Twelve samples on their way from one seed to another.

    position: 0 (the first seed) to 1 (the second). The others as in /generate. Returns a PNG.
    """
    loaded = registry.model(model, fits)
    first, second = _ends(loaded, seed_a, seed_b, truncation)
    place = inputs.number("position", position, 0, 1)
    noise = {name: between(first[name], second[name], place) for name in first}
    return outputs.png(outputs.sheet(*_drawn(loaded, MOVING, label, noise, columns=6)))


def animate(
    registry: ModelRegistry,
    model: Any,
    seed_a: Any,
    seed_b: Any,
    label: Any = "",
    truncation: Any = 1.0,
) -> str:
    """The whole way from one seed to another and back, as an animation.

    The parameters are those of /interpolate. Returns a GIF.
    """
    loaded = registry.model(model, fits)
    first, second = _ends(loaded, seed_a, seed_b, truncation)
    # slow at both ends, as a pendulum is
    places = (1 - np.cos(np.linspace(0, np.pi, outputs.FRAMES))) / 2
    frames, columns = [], None
    for place in places:
        noise = {name: between(first[name], second[name], place) for name in first}
        images, columns = _drawn(loaded, MOVING, label, noise, columns=6)
        frames.append(images)
    return outputs.animation(frames, columns)


def noise_of(model: Model, count: int, seed: int, truncation: Any) -> dict[str, np.ndarray]:
    """The noise of a seed for the page's task, scaled by the truncation."""
    scale = inputs.number("truncation", truncation, 0.05, 1.5)
    name = _task(model.spec)
    assert name is not None  # the registry listed what fits
    return of_seed(model, model.spec.tasks[name], count, seed, scale)


def _noises(spec: Spec) -> dict[str, Normal | Uniform]:
    name = _task(spec)
    assert name is not None  # the registry listed what fits
    draws = {draw: spec.draws[draw] for draw in spec.draws_of(spec.tasks[name])}
    return {name: draw for name, draw in draws.items() if isinstance(draw, NOISE)}  # type: ignore[reportReturnType]


def _ends(model: Model, seed_a: Any, seed_b: Any, truncation: Any) -> tuple[Any, Any]:
    seeds = inputs.seed(seed_a, "seed_a"), inputs.seed(seed_b, "seed_b")
    first, second = (noise_of(model, MOVING, seed, truncation) for seed in seeds)
    return first, second


def _drawn(
    model: Model, count: int, label: Any, noise: dict[str, np.ndarray], columns: int | None = None
) -> tuple[Any, int | None]:
    """Images of that noise (n, c, h, w) in [0, 1], and how many stand in a row."""
    given: dict[str, Any] = {}
    draw = classes(model.spec)
    if draw is not None:
        chosen = inputs.label(draw, label)
        if chosen is None:
            given["label"] = [index % draw.classes for index in range(count)]
            if columns is None and draw.classes <= 12 and count > draw.classes:
                columns = draw.classes  # a column for each class
        else:
            given["label"] = chosen
    # rows of uniform noise that left their cube on the way come back to it
    for name, kind in _noises(model.spec).items():
        if isinstance(kind, Uniform):
            noise[name] = noise[name].clip(kind.low, kind.high)
    images = model.generate(count, noise=noise, task=_task(model.spec), output="pt", **given)
    return images, columns


# ------------------------------------------------------------------------------------ page


def page(registry: ModelRegistry, opened: Any) -> list[gr.Dropdown]:
    """Lay out the page, which fills when `opened` happens; the menus of models on it."""
    names = registry.names(fits)
    first = registry.entry(names[0]).spec
    with gr.Row(equal_height=False, elem_classes="seen-first"):
        with gr.Column(scale=1, min_width=280):
            model = gr.Dropdown(names, value=names[0], label="Model", **MENU)
            label = gr.Dropdown(
                menu_of_classes(first),
                value="",
                label="Class",
                visible=classes(first) is not None,
                **MENU,
            )
            seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=inputs.LARGEST_SEED)
            count = gr.Slider(1, MOST, COUNT, step=1, label="How many")
            truncation = gr.Slider(
                0.05, 1.5, 1.0, step=0.05, label="Truncation",
                info="Scales the noise: less is plainer, more is wilder.",
            )  # fmt: skip
            with gr.Row():
                again = gr.Button("Another seed", min_width=120)
                go = gr.Button("Generate", variant="primary", min_width=120, elem_id="generate")
        with gr.Column(scale=2, min_width=320):
            sheet = gr.Image(
                label="Samples", format="png", interactive=False, elem_id="samples",
                elem_classes="picture", buttons=["download", "fullscreen"],
            )  # fmt: skip
    gr.Markdown("### Between two seeds", elem_classes="part")
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=280):
            gr.Markdown(
                "Twelve samples, and where they go when their noise walks from one seed to "
                "another along the sphere. Model, class and truncation are those above.",
                elem_classes="note",
            )
            with gr.Row():
                seed_a = gr.Number(
                    1, label="From seed", precision=0, minimum=0, maximum=inputs.LARGEST_SEED,
                    min_width=110,
                )  # fmt: skip
                seed_b = gr.Number(
                    2, label="To seed", precision=0, minimum=0, maximum=inputs.LARGEST_SEED,
                    min_width=110,
                )  # fmt: skip
            position = gr.Slider(0, 1, 0, step=0.02, label="Position", elem_id="position")
            film = gr.Button("Make an animation", elem_id="animate")
        with gr.Column(scale=2, min_width=320):
            way = gr.Image(
                label="On the way", format="png", interactive=False, elem_id="way",
                elem_classes="picture", buttons=["download", "fullscreen"],
            )  # fmt: skip
            gif = gr.Image(
                label="Animation", format="gif", interactive=False, visible=False,
                elem_id="animation", elem_classes="picture", buttons=["download", "fullscreen"],
            )  # fmt: skip
    checked_inside(model, label, seed, count, truncation, seed_a, seed_b, position)

    draw, walk = endpoint(generate, registry), endpoint(interpolate, registry)
    wanted = [model, seed, count, label, truncation]
    path = [model, seed_a, seed_b, position, label, truncation]
    on(go.click, draw, wanted, [sheet], name="generate")
    on(
        [position.change, seed_a.change, seed_b.change],
        walk, path, [way], name="interpolate", trigger_mode="always_last", show_progress="hidden",
    )  # fmt: skip

    def film_shown(*values: Any) -> Any:
        return gr.Image(endpoint(animate, registry)(*values), visible=True)

    film_shown.__doc__ = animate.__doc__
    film_shown.__signature__ = endpoint(animate, registry).__signature__  # type: ignore[attr-defined]
    on(film.click, film_shown, [model, seed_a, seed_b, label, truncation], [gif], name="animate")

    # everything that follows is for the page alone
    def chosen(name: Any) -> Any:
        spec = registry.entry(name, fits).spec
        choices = menu_of_classes(spec)
        return gr.Dropdown(choices, value="", visible=classes(spec) is not None)

    told = on(model.change, endpoint(chosen), [model], [label], queue=False)
    for drawn, values, place in ((draw, wanted, sheet), (walk, path, way)):
        then(told, drawn, values, [place])
        on([opened, label.input, truncation.release], drawn, values, [place])
    on(count.release, draw, wanted, [sheet])
    on(seed.submit, draw, wanted, [sheet])
    another = on(again.click, lambda: int(np.random.default_rng().integers(100_000)), [], [seed])
    then(another, draw, wanted, [sheet])
    return [model]
