"""The page Latent map: a plane through three seeds, and directions that lead away from it."""

from __future__ import annotations

import base64
import threading
from collections import OrderedDict
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from ganzoo.demo import inputs, outputs, recipes
from ganzoo.demo.address import Field, sharing
from ganzoo.demo.endpoints import MENU, checked_inside, endpoint, on, once, then
from ganzoo.demo.examples import Examples
from ganzoo.demo.model_registry import ModelRegistry
from ganzoo.demo.pages import generate, latent_picture
from ganzoo.errors import TaskError
from ganzoo.models.directions import Directions, directions, moved, on_the_plane, towards_class
from ganzoo.models.latents import of_seed
from ganzoo.models.model import Model
from ganzoo.spec.spec import Spec

TITLE = "Latent map"
SIDE = 9
"""Samples along a side of the map."""
AXES = 4
FARTHEST = 4.0
"""Along a direction, in standard deviations of the noise."""


def fits(spec: Spec) -> bool:
    """Whether it draws from noise and classes alone."""
    return generate.fits(spec)


def classes(spec: Spec) -> list[tuple[str, str]]:
    """The classes by name and number; none where the model has none."""
    return generate.menu_of_classes(spec)[1:]


# ------------------------------------------------------------------------------- functions


def latent_map(
    registry: ModelRegistry,
    model: Any,
    seed_a: Any,
    seed_b: Any,
    seed_c: Any,
    label: Any = "0",
    point: Any = "",
) -> str:
    """Samples on the plane through three seeds, as one sheet of nine by nine.

    model: a name of /models with the task generate. The first seed is at the lower left, the
    second at the lower right, the third at the upper left. label: a class by number or name,
    of no matter where the model has none. point: what /latent_find found, which takes the place
    of one seed; or "". Returns a PNG as a data URL.
    """
    loaded, corners, given = _asked(registry, model, (seed_a, seed_b, seed_c), label, point)
    places = np.linspace(0, 1, SIDE)
    y, x = np.meshgrid(places[::-1], places, indexing="ij")
    task = _task(loaded)
    noise = on_the_plane(loaded, task, corners, x.ravel(), y.ravel())
    images = _drawn(loaded, noise, given)
    content = Path(outputs.png(outputs.sheet(images, columns=SIDE, width=756))).read_bytes()
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def latent_sample(
    registry: ModelRegistry,
    model: Any,
    seed_a: Any,
    seed_b: Any,
    seed_c: Any,
    x: Any,
    y: Any,
    label: Any = "0",
    towards: Any = "",
    amount: Any = 0,
    d1: Any = 0,
    d2: Any = 0,
    d3: Any = 0,
    d4: Any = 0,
    point: Any = "",
) -> str:
    """The sample at a place of the map.

    x, y: 0 to 1. towards: another class, or ""; amount: 0 to 1, how far on the way to it.
    d1 to d4: -4 to 4, how far along the directions that change the most. The others as in
    /latent_map. Returns a PNG.
    """
    loaded, corners, given = _asked(registry, model, (seed_a, seed_b, seed_c), label, point)
    task = _task(loaded)
    place = inputs.number("x", x, 0, 1), inputs.number("y", y, 0, 1)
    noise = on_the_plane(loaded, task, corners, *place)
    along = {"d1": d1, "d2": d2, "d3": d3, "d4": d4}
    far = [inputs.number(word, one, -FARTHEST, FARTHEST) for word, one in along.items()]
    if any(far):
        noise = moved(loaded, task, noise, KNOWN.of(loaded), far)
    share = inputs.number("amount", amount, 0, 1)
    draw = generate.classes(loaded.spec)
    other = inputs.label(draw, towards) if draw else None
    mixing = towards_class(loaded, other, share) if other is not None else nullcontext()
    with mixing:
        images = _drawn(loaded, noise, given)
    return outputs.png(outputs.sheet(images, width=420))


class Known:
    """Directions of models, found once for the weights."""

    def __init__(self) -> None:
        self._found: OrderedDict[int, tuple[Model, Directions]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, model: Model) -> Directions:
        """Its directions, at first use in a fraction of a second."""
        with self._lock:
            if id(model) not in self._found:
                self._found[id(model)] = model, directions(model, _task(model), AXES)
                while len(self._found) > 8:
                    self._found.popitem(last=False)
            return self._found[id(model)][1]


KNOWN = Known()


def _task(model: Model) -> Any:
    return model.task("generate", generate.task_of(model.spec))


def _asked(
    registry: ModelRegistry, model: Any, seeds: tuple[Any, ...], label: Any, point: Any
) -> tuple[Model, list[dict[str, np.ndarray]], dict[str, Any]]:
    """The model, the noise of the corners, and what else it is given."""
    loaded = registry.model(model, fits)
    corners = [
        of_seed(loaded, _task(loaded), 1, inputs.seed(seed, f"seed_{word}"))
        for word, seed in zip("abc", seeds, strict=True)
    ]
    found = latent_picture.noise_of(loaded, point)
    if found:
        corners[latent_picture.CORNERS.index(found[0])] = found[1]
    draw = generate.classes(loaded.spec)
    given = {"label": inputs.label(draw, label) or 0} if draw else {}
    if not corners[0]:
        raise TaskError(f"{loaded.title} has no noise that makes a plane")
    return loaded, corners, given


def _drawn(model: Model, noise: dict[str, np.ndarray], given: dict[str, Any]) -> Any:
    count = len(next(iter(noise.values())))
    name = generate.task_of(model.spec)
    return model.generate(count, noise=noise, task=name, output="pt", **given)


def again_of(registry: ModelRegistry, *settings: Any) -> tuple[str, str]:
    """The Python that draws the sample again, and a command that walks round the corners."""
    model, label, a, b, c, x, y, towards, amount, *along = settings[: 9 + AXES]
    point = settings[9 + AXES] if len(settings) > 9 + AXES else ""
    entry = registry.entry(model, fits)
    seeds = [inputs.seed(seed) for seed in (a, b, c)]
    place = inputs.number("x", x, 0, 1), inputs.number("y", y, 0, 1)
    far = [inputs.number("direction", one, -FARTHEST, FARTHEST) for one in along]
    draw = generate.classes(entry.spec)
    chosen = (inputs.label(draw, label) or 0) if draw else None
    other = inputs.label(draw, towards) if draw else None
    share = inputs.number("amount", amount, 0, 1)
    name = generate.task_of(entry.spec)
    task = repr(name) if recipes.other_task(entry, name) else None
    given = recipes.arguments(task=task, label=chosen)
    lines = [
        "from ganzoo.models.directions import on_the_plane",
        "from ganzoo.models.latents import of_seed",
        f'task = model.task("generate", {task})',
        f"corners = [of_seed(model, task, 1, seed) for seed in {seeds}]",
    ]
    shell = ""
    if point and (found := latent_picture.noise_of(registry.model(model, fits), point)):
        of_picture, shell = latent_picture.find_again(registry, model)
        lines += [line for line in of_picture.splitlines() if "project" in line]
        lines += [f"corners[{latent_picture.CORNERS.index(found[0])}] = found.noise"]
    lines += [f"noise = on_the_plane(model, task, corners, {place[0]:g}, {place[1]:g})"]
    if any(far):
        lines += [
            "from ganzoo.models.directions import directions, moved",
            f"noise = moved(model, task, noise, directions(model, task, {AXES}), {far})",
        ]
    drawing = f'images = model.generate(1, noise=noise, output="pt"{given})'
    if other is not None and share:
        lines += ["from ganzoo.models.directions import towards_class"]
        lines += [f"with towards_class(model, {other}, {share:g}):", f"    {drawing}"]
    else:
        lines += [drawing]
    python = recipes.lines(entry, *lines, 'save_sheet(images, "sample.png")')
    words = ["--label", chosen] if chosen is not None else []
    walk = recipes.command("interpolate", entry, *seeds, seeds[0], *words)
    return python, shell or walk


# ------------------------------------------------------------------------------------ page

PLANE = """<div class="plane" tabindex="0" role="slider" aria-label="Place on the map; arrow keys
move it" aria-valuemin="0" aria-valuemax="100" aria-valuenow="50"><img alt="Samples on the plane
through three seeds" draggable="false" src="${value}"><i class="mark"></i><b class="a">A</b><b
class="b">B</b><b class="c">C</b></div>"""
STYLE = """
.plane { position: relative; touch-action: none; cursor: crosshair; user-select: none;
  border-radius: 6px; overflow: hidden; line-height: 0; aspect-ratio: 1; background: #000; }
.plane:focus-visible { outline: 3px solid #14b8a6; outline-offset: 2px; }
.plane img { width: 100%; height: 100%; display: block; object-fit: fill; pointer-events: none; }
.plane .mark { position: absolute; width: 22px; height: 22px; margin: -11px; border-radius: 50%;
  border: 3px solid #fff; box-shadow: 0 0 0 2px #0f766e, inset 0 0 0 1px #0f766e;
  left: calc(100% * var(--x, 0.5)); top: calc(100% - 100% * var(--y, 0.5)); pointer-events: none; }
.plane b { position: absolute; font: 600 14px/22px system-ui, sans-serif; width: 22px;
  text-align: center; color: #fff; background: #0f766e; pointer-events: none; }
.plane .a { left: 0; bottom: 0; } .plane .b { right: 0; bottom: 0; } .plane .c { left: 0; top: 0; }
"""
DRAG = """
const place = { x: 0.5, y: 0.5 };
const clip = (value) => Math.min(1, Math.max(0, Math.round(value * 100) / 100));
const go = (x, y) => {
  place.x = clip(x); place.y = clip(y);
  element.style.setProperty('--x', place.x); element.style.setProperty('--y', place.y);
  window.ganzooPlace = place;
  trigger('select');
};
const at = (event) => {
  const box = element.querySelector('.plane').getBoundingClientRect();
  go((event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height);
};
let down = false, waiting = null;
element.addEventListener('pointerdown', (event) => {
  const plane = event.target.closest('.plane');
  if (!plane) return;
  down = true; plane.setPointerCapture(event.pointerId); plane.focus(); at(event);
});
element.addEventListener('pointermove', (event) => {
  if (!down) return;
  if (!waiting) requestAnimationFrame(() => { at(waiting); waiting = null; });
  waiting = event;
});
for (const end of ['pointerup', 'pointercancel'])
  element.addEventListener(end, () => { down = false; });
element.addEventListener('keydown', (event) => {
  const step = event.shiftKey ? 0.1 : 0.02;
  const ways = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step],
                 ArrowDown: [0, -step] };
  const way = ways[event.key];
  if (!way || !event.target.closest('.plane')) return;
  event.preventDefault();
  place.x = parseFloat(element.style.getPropertyValue('--x') || 0.5);
  place.y = parseFloat(element.style.getPropertyValue('--y') || 0.5);
  go(place.x + way[0], place.y + way[1]);
});
"""
PLACE = "() => [window.ganzooPlace.x, window.ganzooPlace.y]"
MARK = """(x, y) => { for (const e of document.querySelectorAll('#plane, #plane *')) if (
  e.id === 'plane' || e.style.getPropertyValue('--x')) {
  e.style.setProperty('--x', x); e.style.setProperty('--y', y); }
  const plane = document.querySelector('#plane .plane');
  if (plane) { plane.setAttribute('aria-valuenow', Math.round(100 * x));
    plane.setAttribute('aria-valuetext', `${x} to the right, ${y} up`); } }"""


def page(registry: ModelRegistry, opened: Any, examples: Examples) -> list[Field]:
    """Lay out the page, which fills when `opened` happens; the settings of its address."""
    names = registry.names(fits)
    first = latent_picture.first_searched(registry, names)
    some = classes(registry.entry(first).spec)
    looks: dict[str, Any] = {"precision": 0, "minimum": 0, "maximum": inputs.LARGEST_SEED,
                             "min_width": 70}  # fmt: skip
    with gr.Row(equal_height=False, elem_classes="seen-first"):
        with gr.Column(scale=3, min_width=280):
            model = gr.Dropdown(names, value=first, label="Model", **MENU)
            label = gr.Dropdown(
                some, value=some[0][1] if some else None, label="Class", visible=bool(some), **MENU
            )
            with gr.Row():
                a = gr.Number(1, label="Seed A", **looks)
                b = gr.Number(2, label="Seed B", **looks)
                c = gr.Number(3, label="Seed C", **looks)
            with gr.Row(visible=False) as taken:
                whose = gr.Markdown(elem_classes="note", elem_id="latent-point-note")
                back = gr.Button("Use the seed again", size="sm", elem_id="latent-point-back")
            point = gr.Textbox(
                "", label="Point", visible=False, max_length=latent_picture.LONGEST_POINT
            )
            axes = [
                gr.Slider(
                    -FARTHEST, FARTHEST, 0, step=0.1, label=f"Direction {number + 1}",
                    elem_id=f"direction-{number + 1}",
                )
                for number in range(AXES)
            ]  # fmt: skip
            with gr.Column(visible=bool(some), min_width=0) as arithmetic:
                towards = gr.Dropdown(
                    [("none", ""), *some], value="", label="Towards class", **MENU
                )
                amount = gr.Slider(0, 1, 0, step=0.02, label="How far", elem_id="towards-amount")
            reset = gr.Button("Reset directions", elem_id="latent-reset")
        with gr.Column(scale=4, min_width=300):
            gr.Markdown(
                "Each tile is a sample of the plane through seeds A, B and C. Drag the marker, or "
                "move it with the arrow keys.", elem_classes="note",
            )  # fmt: skip
            plane = gr.HTML(
                html_template=PLANE, css_template=STYLE, js_on_load=DRAG, elem_id="plane"
            )
            with gr.Row():
                x = gr.Slider(0, 1, 0.5, step=0.01, label="Right", min_width=120)
                y = gr.Slider(0, 1, 0.5, step=0.01, label="Up", min_width=120)
        with gr.Column(scale=3, min_width=260):
            sample = gr.Image(
                label="Sample at the marker", format="png", interactive=False,
                elem_id="latent-sample", elem_classes="picture", buttons=["download", "fullscreen"],
            )  # fmt: skip
            note = gr.Markdown(elem_classes="note", elem_id="latent-note")
            shared = gr.Column(min_width=0)
    searches, facts, shared_search = latent_picture.part(registry, opened, examples, model)
    checked_inside(model, label, a, b, c, x, y, towards, amount, *axes, point)

    where = [model, a, b, c, label, point]
    what = [model, a, b, c, x, y, label, towards, amount, *axes, point]
    sampled = endpoint(latent_sample, registry)
    mapped = endpoint(latent_map, registry)
    newest: dict[str, Any] = {"trigger_mode": "always_last", "show_progress": "hidden"}

    def told(name: Any) -> Any:
        some = classes(registry.entry(name, fits).spec)
        return [
            gr.Dropdown(some, value=some[0][1] if some else None, visible=bool(some)),
            gr.Dropdown([("none", ""), *some], value="", visible=True),
            0,
            *[0] * AXES,
            "",
        ]

    # the browser sets the place, and whatever is newest then is drawn
    alone: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    plane.select(None, [], [x, y], js=PLACE, **alone)
    gr.on([x.change, y.change, plane.change], None, [x, y], None, js=MARK, **alone)
    moves = [x.change, y.change, amount.input, towards.input, *(axis.input for axis in axes)]
    on(moves, sampled, what, [sample], name="latent_sample", **newest)
    first = [(mapped, where, [plane]), (sampled, what, [sample])]
    # the first that calls a function gives the endpoint its name
    for name, (function, values, place) in zip(("latent_map", ""), first, strict=True):
        on([label.input, *(way for seed in (a, b, c) for way in (seed.submit, seed.blur))],
           function, values, place, name=name, **newest)  # fmt: skip
    changed = on(model.input, endpoint(told), [model],
                 [label, towards, amount, *axes, point])  # fmt: skip
    shares = endpoint(_shares, registry)
    for function, values, place in [*first, (shares, [model], [note, arithmetic])]:
        then(changed, function, values, place)
        once(opened, function, values, place)
    cleared = on(reset.click, lambda: ["", 0, *[0] * AXES], [], [towards, amount, *axes])
    then(cleared, sampled, what, [sample])

    def landed(name: Any, found: Any) -> Any:
        """The map goes to what a search found, and takes its class."""
        text = found.get("point") if isinstance(found, dict) else ""
        if not (at := latent_picture.noise_of(registry.model(name, fits), text)):
            return [gr.skip()] * (6 + AXES)
        number = found.get("label")
        of_class = gr.skip() if number is None else str(number)
        place = {"a": (0, 0), "b": (1, 0), "c": (0, 1)}[at[0]]
        return [text, of_class, *place, "", 0, *[0] * AXES]

    def whose_corner(text: Any) -> Any:
        said = f"Corner {str(text)[:1].upper()} is your picture." if text else ""
        return said, gr.Row(visible=bool(text))

    def given_up(text: Any, corner: str) -> Any:
        """A seed that is typed takes its corner again."""
        return "" if isinstance(text, str) and text.startswith(corner) else gr.skip()

    places = [point, label, x, y, towards, amount, *axes]
    for search in searches:
        found = then(search, endpoint(landed), [model, facts], places, succeeded=True)
        then(found, mapped, where, [plane])
        then(found, sampled, what, [sample])
    on(point.change, whose_corner, [point], [whose, taken], queue=False)
    for letter, seed in zip("abc", (a, b, c), strict=True):
        on(seed.input, partial(given_up, corner=letter), [point], [point], queue=False)
    again = on(back.click, lambda: "", [], [point], queue=False)
    then(again, mapped, where, [plane])
    then(again, sampled, what, [sample])

    def of(known: Any) -> list[tuple[str, str]]:
        return classes(registry.entry(known["model"], fits).spec)

    fields = [
        Field("model", model, offered=lambda known: registry.names(fits), model=fits),
        Field("class", label, offered=of),
        *(Field(word, seed) for word, seed in zip("abc", (a, b, c), strict=True)),
        Field("x", x),
        Field("y", y),
        Field("towards", towards, offered=lambda known: [("none", ""), *of(known)]),
        Field("amount", amount),
        *(Field(f"d{number + 1}", axis) for number, axis in enumerate(axes)),
        Field("point", point),
    ]
    with shared:
        sharing(TITLE, fields, [sample.change], recipe=endpoint(again_of, registry))
    with shared_search:
        recipe = endpoint(latent_picture.find_again, registry)
        sharing(TITLE, fields, [facts.change, sample.change], recipe=recipe, name="find")
    return fields


def _shares(registry: ModelRegistry, model: Any) -> tuple[str, Any]:
    """How much the directions change, in a sentence; and whether there are classes to mix."""
    loaded = registry.model(model, fits)
    shares = KNOWN.of(loaded).shares
    said = ", ".join(f"{share:.0%}" for share in shares)
    text = (
        f"Directions 1 to {len(shares)} change the first layer the most: {said} of its variance. "
        "The sliders move along them, in standard deviations of the noise."
    )
    return text, gr.Column(visible=bool(classes(loaded.spec)))
