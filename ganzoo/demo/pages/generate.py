"""The page Generate: samples of a seed, and interpolation between two seeds."""

from __future__ import annotations

import functools
import html
from typing import Any

import gradio as gr
import numpy as np

from ganzoo.demo import exporting, inputs, outputs, recipes
from ganzoo.demo.address import Field, sharing
from ganzoo.demo.endpoints import MENU, checked_inside, endpoint, on, then
from ganzoo.demo.model_registry import Entry, ModelRegistry
from ganzoo.errors import TaskError
from ganzoo.models.latents import PSI, of_seed, on_the_way
from ganzoo.models.model import Model
from ganzoo.spec.draws import NOISE, Label
from ganzoo.spec.spec import Spec
from ganzoo.spec.tasks import Task

TITLE = "Generate"
MOST = 144
"""The most pictures on a sheet."""
COUNT = 60
MOST_COLUMNS = 12
"""The most classes with a column each."""
MAKE_PAGE = "Make an HTML page of this model"
MOVING = 12
"""The number of samples that are interpolated between two seeds."""


def fits(spec: Spec) -> bool:
    """Whether it generates from noise and classes only."""
    return _task(spec) is not None


def task_of(spec: Spec) -> str:
    """The page's task of a Spec that fits."""
    name = _task(spec)
    assert name is not None  # the registry listed what fits
    return name


def _task(spec: Spec) -> str | None:
    """The first task that generates from noise, or from noise and classes."""
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
    """The choices of the menu of classes, as pairs of label and value."""
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
    none. truncation: 0.05 to 1.5: the number psi of the task, where it has one, else what the noise
    is scaled by: less is plainer, 1 as trained. Returns a PNG.
    """
    loaded = registry.model(model, fits)
    count = inputs.whole("count", count, 1, MOST)
    noise = noise_of(loaded, count, inputs.seed(seed), truncation)
    return outputs.png(outputs.sheet(*_drawn(loaded, count, label, noise, truncation)))


def interpolate(
    registry: ModelRegistry,
    model: Any,
    seed_a: Any,
    seed_b: Any,
    position: Any,
    label: Any = "",
    truncation: Any = 1.0,
) -> str:
    """Twelve samples at a position between one seed and another.

    position: 0 (the first seed) to 1 (the second). The others as in /generate. Returns a PNG.
    """
    loaded = registry.model(model, fits)
    first, second = _ends(loaded, seed_a, seed_b, truncation)
    place = inputs.number("position", position, 0, 1)
    noise = on_the_way(loaded, _asked(loaded), first, second, place)
    drawn = _drawn(loaded, MOVING, label, noise, truncation, columns=6)
    return outputs.png(outputs.sheet(*drawn))


def animate(
    registry: ModelRegistry,
    model: Any,
    seed_a: Any,
    seed_b: Any,
    label: Any = "",
    truncation: Any = 1.0,
) -> str:
    """The interpolation from one seed to another and back, as an animation.

    The parameters are those of /interpolate. Returns a GIF.
    """
    loaded = registry.model(model, fits)
    first, second = _ends(loaded, seed_a, seed_b, truncation)
    # slow at both ends, as a pendulum is
    places = (1 - np.cos(np.linspace(0, np.pi, outputs.FRAMES))) / 2
    frames, columns = [], None
    for place in places:
        noise = on_the_way(loaded, _asked(loaded), first, second, place)
        images, columns = _drawn(loaded, MOVING, label, noise, truncation, columns=6)
        frames.append(images)
    return outputs.animation(frames, columns)


def export_html(registry: ModelRegistry, pages: exporting.Pages, model: Any) -> str:
    """A model as one HTML file that draws in a browser, without a server or a network.

    model: a name of /models with the task generate, of at most 24 MB of weights. Takes some ten
    seconds at first. Returns the file.
    """
    return pages.of(registry.entry(model, fits))


def noise_of(model: Model, count: int, seed: int, truncation: Any) -> dict[str, np.ndarray]:
    """The noise of a seed for the page's task, scaled by the truncation."""
    scale = inputs.number("truncation", truncation, 0.05, 1.5)
    task = _asked(model)
    return of_seed(model, task, count, seed, 1.0 if PSI in task.numbers else scale)


def columns(spec: Spec, count: Any, label: Any) -> str:
    """The names of the columns of a sheet as HTML if each is a class; otherwise empty."""
    draw = classes(spec)
    turns = draw is not None and inputs.label(draw, label) is None
    if draw is None or not turns or draw.classes > MOST_COLUMNS or count <= draw.classes:
        return ""
    names = draw.names or tuple(map(str, range(draw.classes)))
    cells = "".join(f"<span>{html.escape(name[:30])}</span>" for name in names)
    style = f"grid-template-columns:repeat({len(names)},minmax(0,1fr))"
    return f'<div class="columns" style="{style}">{cells}</div>'


def _asked(model: Model) -> Task:
    """The page's task of a model that fits."""
    return model.task("generate", task_of(model.spec))


def _ends(model: Model, seed_a: Any, seed_b: Any, truncation: Any) -> tuple[Any, Any]:
    seeds = inputs.seed(seed_a, "seed_a"), inputs.seed(seed_b, "seed_b")
    first, second = (noise_of(model, MOVING, seed, truncation) for seed in seeds)
    return first, second


def _drawn(
    model: Model,
    count: int,
    label: Any,
    noise: dict[str, np.ndarray],
    truncation: Any,
    columns: int | None = None,
) -> tuple[Any, int | None]:
    """Images of that noise (n, c, h, w) in [0, 1], and the number in a row."""
    given: dict[str, Any] = {}
    draw = classes(model.spec)
    if draw is not None:
        chosen = inputs.label(draw, label)
        if chosen is None:
            given["label"] = [index % draw.classes for index in range(count)]
            if columns is None and draw.classes <= MOST_COLUMNS and count > draw.classes:
                columns = draw.classes  # a column for each class
        else:
            given["label"] = chosen
    if PSI in _asked(model).numbers:
        given[PSI] = inputs.number("truncation", truncation, 0.05, 1.5)
    images = model.generate(count, noise=noise, task=task_of(model.spec), output="pt", **given)
    return images, columns


def samples_again(registry: ModelRegistry, *settings: Any) -> tuple[str, str]:
    """The Python and the command that reproduce a sheet."""
    model, seed, count, label, truncation = settings[:5]
    entry, task, scale, words = _said(registry, model, label, truncation)
    number, count = inputs.seed(seed), inputs.whole("count", count, 1, MOST)
    chosen = inputs.label(draw, label) if (draw := classes(entry.spec)) else None
    labels = None
    if draw is not None:
        labels = f"[{chosen}] * {count}" if chosen is not None else (
            f"[row % {draw.classes} for row in range({count})]"
        )  # fmt: skip
    given = recipes.arguments(seed=number, truncation=scale, task=task, label=labels)
    python = recipes.lines(
        entry,
        "from ganzoo.models.drawing import drawn",
        f"found = drawn(model, {count}{given})",
        'save_sheet(found.images, "samples.png")',
    )
    shell = recipes.command("sample", entry, "-n", count, "--seed", number, *words)
    return python, shell


def way_again(registry: ModelRegistry, *settings: Any) -> tuple[str, str]:
    """The Python and the command that reproduce an interpolation between seeds."""
    model, _, _, label, truncation, seed_a, seed_b, position = settings
    entry, task, scale, words = _said(registry, model, label, truncation, "0")
    first, second = inputs.seed(seed_a, "seed_a"), inputs.seed(seed_b, "seed_b")
    place = inputs.number("position", position, 0, 1)
    draw = classes(entry.spec)
    chosen = inputs.label(draw, label) if draw else None
    labels = f"[row % {draw.classes} for row in range({MOVING})]" if draw else None
    labels = labels if chosen is None else chosen
    own = scale if recipes.psi(entry, task_of(entry.spec)) else None
    scaled = f", {scale}" if scale is not None and own is None else ""
    given = recipes.arguments(task=task, psi=own, label=labels)
    python = recipes.lines(
        entry,
        "from ganzoo.models.latents import of_seed, on_the_way",
        f'task = model.task("generate", {task or None})',
        f"first = of_seed(model, task, {MOVING}, {first}{scaled})",
        f"second = of_seed(model, task, {MOVING}, {second}{scaled})",
        f"noise = on_the_way(model, task, first, second, {place:g})",
        f'images = model.generate({MOVING}, noise=noise, output="pt"{given})',
        'save_sheet(images, "way.png", columns=6)',
    )
    return python, recipes.command("interpolate", entry, first, second, *words)


def _said(
    registry: ModelRegistry, model: Any, label: Any, truncation: Any, turn: str = "each"
) -> tuple[Entry, str | None, float | None, list[str]]:
    """The parts that both recipes share: the task, the truncation and the class."""
    entry = registry.entry(model, fits)
    name, draw = task_of(entry.spec), classes(entry.spec)
    scale = inputs.number("truncation", truncation, 0.05, 1.5)
    words: list[str] = []
    if draw is not None:
        chosen = inputs.label(draw, label)
        words += ["--label", turn if chosen is None else str(chosen)]
    told = scale != 1 or recipes.psi(entry, name)
    if told:
        words += ["--truncation", f"{scale:g}"]
    task = name if recipes.other_task(entry, name) else None
    words += ["--task", task] if task else []
    return entry, task and repr(task), scale if told else None, words


# ------------------------------------------------------------------------------------ page


def _revealed(function: Any, kind: type[Any]) -> Any:
    """The same endpoint, whose file appears in a component that was not visible before."""

    @functools.wraps(function)
    def shown(*values: Any) -> Any:
        return kind(function(*values), visible=True)

    return shown


def _fields(registry: ModelRegistry, *components: Any) -> list[Field]:
    """The settings of the page's address, in the order of `settings` above."""
    names = ("model", "seed", "count", "class", "truncation", "from", "to", "position")
    more: dict[str, dict[str, Any]] = {
        "model": {"offered": lambda known: registry.names(fits), "model": fits},
        "class": {
            "offered": lambda known: menu_of_classes(registry.entry(known["model"], fits).spec)
        },
    }
    return [
        Field(name, component, **more.get(name, {}))
        for name, component in zip(names, components, strict=True)
    ]


def page(registry: ModelRegistry, opened: Any) -> list[Field]:
    """Lay out the page, which fills when `opened` happens; the settings of its address."""
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
                info="Scale of the noise: less is more typical, more is more varied.",
            )  # fmt: skip
            with gr.Row():
                go = gr.Button("Draw this seed", min_width=120, elem_id="generate")
                again = gr.Button("Another seed", variant="primary", min_width=120)
        with gr.Column(scale=2, min_width=320):
            heads = gr.HTML(elem_id="columns", padding=False)
            sheet = gr.Image(
                label="Samples", format="png", interactive=False, elem_id="samples",
                elem_classes="picture", buttons=["download", "fullscreen"],
            )  # fmt: skip
            shared = gr.Column(min_width=0)
    gr.Markdown("## Between two seeds", elem_classes="part")
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=280):
            gr.Markdown(
                "Twelve samples whose noise is interpolated between two seeds, along the sphere. "
                "Model, class and truncation are those set above.",
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
                label="Interpolation", format="png", interactive=False, elem_id="way",
                elem_classes="picture", buttons=["download", "fullscreen"],
            )  # fmt: skip
            gif = gr.Image(
                label="Animation", format="gif", interactive=False, visible=False,
                elem_id="animation", elem_classes="picture", buttons=["download", "fullscreen"],
            )  # fmt: skip
            shared_way = gr.Column(min_width=0)
    checked_inside(model, label, seed, count, truncation, seed_a, seed_b, position)
    fields = _fields(registry, model, seed, count, label, truncation, seed_a, seed_b, position)

    draw, walk = endpoint(generate, registry), endpoint(interpolate, registry)
    wanted = [model, seed, count, label, truncation]
    path = [model, seed_a, seed_b, position, label, truncation]
    on(go.click, draw, wanted, [sheet], name="generate")
    on(
        [position.change, seed_a.change, seed_b.change],
        walk, path, [way], name="interpolate", trigger_mode="always_last", show_progress="hidden",
    )  # fmt: skip

    film_shown = _revealed(endpoint(animate, registry), gr.Image)
    on(film.click, film_shown, [model, seed_a, seed_b, label, truncation], [gif], name="animate")

    with shared:
        sharing(TITLE, fields, [sheet.change], recipe=endpoint(samples_again, registry))
        export = gr.Button(
            MAKE_PAGE, size="sm", elem_id="export",
            visible=exporting.possible(registry.entry(names[0], fits)),
        )  # fmt: skip
        exported = gr.File(
            label="A page that runs the model in a browser, without a network", interactive=False,
            visible=False, elem_id="exported",
        )  # fmt: skip
    page_shown = _revealed(endpoint(export_html, registry, exporting.Pages()), gr.File)
    busy = lambda: gr.Button("Making the page, some ten seconds ...", interactive=False)  # noqa: E731
    on(export.click, busy, [], [export], queue=False)
    made = on(
        export.click, page_shown, [model], [exported], name="export_html", **exporting.EXPORTS
    )
    then(made, lambda: gr.Button(MAKE_PAGE, interactive=True), [], [export], queue=False)

    # all following endpoints are for the page only
    def chosen(name: Any) -> Any:
        spec = registry.entry(name, fits).spec
        choices = menu_of_classes(spec)
        return (
            gr.Dropdown(choices, value="", visible=classes(spec) is not None),
            gr.Button(visible=exporting.possible(registry.entry(name, fits))),
            gr.File(visible=False),
        )

    told = on(model.input, endpoint(chosen), [model], [label, export, exported], queue=False)

    def named(*values: Any) -> Any:
        """A sheet with the names of its columns."""
        name, _, count, label, _ = values
        spec = registry.entry(name, fits).spec
        return generate(registry, *values), columns(spec, count, label)

    def typed(*values: Any) -> Any:
        """The same while a seed is typed, which is none at times."""
        try:
            inputs.seed(values[1])
        except TaskError:
            return gr.skip(), gr.skip()
        return named(*values)

    shown, both = endpoint(named), [sheet, heads]
    for drawn, values, places in ((shown, wanted, both), (walk, path, [way])):
        then(told, drawn, values, places)
        on([opened, label.input, truncation.release], drawn, values, places)
    on(count.release, shown, wanted, both)
    on(seed.input, endpoint(typed), wanted, both, trigger_mode="always_last")
    another = on(again.click, lambda: int(np.random.default_rng().integers(100_000)), [], [seed])
    then(another, shown, wanted, both)
    with shared_way:
        sharing(
            TITLE, fields, [way.change, gif.change], recipe=endpoint(way_again, registry),
            name="way",
        )  # fmt: skip
    return fields
