"""The page Translate: a picture translated to the other domain, and back."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ganzoo.data.catalog import find
from ganzoo.demo import inputs, outputs, recipes
from ganzoo.demo.address import Field, sharing
from ganzoo.demo.endpoints import MENU, checked_inside, endpoint, on, once, then
from ganzoo.demo.examples import NEXT, Examples
from ganzoo.demo.model_registry import Entry, ModelRegistry
from ganzoo.errors import GanzooError
from ganzoo.plugins.host import default
from ganzoo.spec.draws import NOISE, Image, Label
from ganzoo.spec.spec import Spec
from ganzoo.spec.tasks import Task

TITLE = "Translate"


def fits(spec: Spec) -> bool:
    """Whether it translates pictures."""
    return bool(domains(spec))


def _tasks(spec: Spec) -> dict[str, tuple[Task, Image]]:
    """The task for each target domain, and its input image."""
    found: dict[str, tuple[Task, Image]] = {}
    for task in spec.tasks.values():
        draws = [spec.draws[draw] for draw in spec.draws_of(task)]
        given = [draw for draw in draws if not isinstance(draw, NOISE)]
        if task.to and len(given) == 1 and isinstance(given[0], Image):
            found.setdefault(task.to, (task, given[0]))
    return found


def domains(spec: Spec) -> list[str]:
    """Its target domains."""
    return list(_tasks(spec))


def directions(entry: Entry) -> list[tuple[str, str]]:
    """The choices of the menu of directions, as pairs of label and target domain."""
    called = _names(entry.data)
    found = [
        (called.get(draw.field, draw.field), called.get(to, to), to)
        for to, (_, draw) in _tasks(entry.spec).items()
    ]
    return [
        (f"{source} → {name}", to) for source, name, to in sorted(found, key=lambda one: one[2])
    ]


def _names(data: str) -> dict[str, str]:
    """What the domains of a data set are called, such as {"a": "black"}, where each is one class
    of a data set that is installed."""
    try:
        declared = find(data, default().data)
    except GanzooError:
        return {}
    if declared.domains is None:
        return {}
    label = declared.fields.fields.get(declared.domains.label)
    names = label.names if isinstance(label, Label) else ()
    return {
        field: names[classes[0]]
        for field, classes in declared.domains.classes.items()
        if len(classes) == 1 and names
    }


def back(spec: Spec, to: str) -> str | None:
    """The source domain of the translation to `to`, if there is a task for it, too."""
    found = _tasks(spec)
    field = found[to][1].field
    if field in found:
        return field
    others = [name for name in found if name != to]
    return others[0] if len(others) == 1 else None


# ------------------------------------------------------------------------------- functions


def translate(
    registry: ModelRegistry, model: Any, picture: Any, to: Any
) -> tuple[str, str, str | None]:
    """Translate a picture to another domain, and back.

    model: a name of /models with the task translate. picture: a file. to: a domain of the
    model. Returns three PNGs: the picture as the model sees it, its translation, and the
    translation back, null if the model has none.
    """
    loaded = registry.model(model, fits)
    to = inputs.one_of("to", to, domains(loaded.spec))
    draw = _tasks(loaded.spec)[to][1]
    seen = inputs.seen(loaded, draw, picture)
    there = loaded.translate(seen, to=to, output="pt")
    home = back(loaded.spec, to)
    again = None
    if home is not None:
        again = _png(loaded.translate(there, to=home, output="pt"))
    return _png(seen), _png(there), again


def _png(images: Any) -> str:
    return outputs.png(outputs.sheet(images, width=420))


def again_of(registry: ModelRegistry, model: Any, to: Any) -> tuple[str, str]:
    """The Python and the command that reproduce a translation."""
    entry = registry.entry(model, fits)
    to = inputs.one_of("to", to, domains(entry.spec))
    python = recipes.lines(
        entry,
        f'there = model.translate("picture.png", to={to!r}, output="pt")',
        'save_sheet(there, "there.png")',
    )
    return python, recipes.command("translate", entry, "picture.png", "--to", to)


# ------------------------------------------------------------------------------------ page


def page(registry: ModelRegistry, opened: Any, examples: Examples) -> list[Field]:
    """Lay out the page, which fills when `opened` happens; the settings of its address."""
    names = registry.names(fits)
    offered = directions(registry.entry(names[0]))
    start = _ahead(offered)
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=280):
            model = gr.Dropdown(names, value=names[0], label="Model", **MENU)
            to = gr.Radio(offered, value=start, label="Direction", elem_id="to")
            picture = gr.Image(
                type="filepath", image_mode=None, label="Picture", height=266,
                sources=["upload", "clipboard"], elem_id="translate-input",
                elem_classes="taken",
            )  # fmt: skip
            shown = gr.Gallery(
                label="Examples", columns=5, height="auto", allow_preview=False, format="png",
                buttons=[], elem_id="translate-examples", elem_classes="examples",
            )  # fmt: skip
            go = gr.Button(NEXT, variant="primary", elem_id="translate")
            turn = gr.State(0)
        with gr.Column(scale=2, min_width=320):
            with gr.Row():
                looks: dict[str, Any] = {
                    "interactive": False, "format": "png", "min_width": 96,
                    "elem_classes": "picture", "buttons": ["download"],
                }  # fmt: skip
                seen = gr.Image(label="Input", **looks)
                there = gr.Image(label="Translation", elem_id="there", **looks)
                home = gr.Image(label="Round trip", elem_id="back", **looks)
            shared = gr.Column(min_width=0)
    checked_inside(model, to)

    def offered_by(known: Any) -> list[tuple[str, str]]:
        return directions(registry.entry(known["model"], fits))

    fields = [
        Field("model", model, offered=lambda known: registry.names(fits), model=fits),
        Field("to", to, offered=offered_by, initial=lambda known: _ahead(offered_by(known))),
    ]

    translated = endpoint(translate, registry)
    found = [seen, there, home]
    on(picture.upload, translated, [model, picture, to], found, name="translate")

    def some(name: Any, to: Any) -> list[str]:
        entry = registry.entry(name, fits)
        if to not in domains(entry.spec):
            return []
        return outputs.each(examples.of(entry, _tasks(entry.spec)[to][1]))

    def told(name: Any, to: Any) -> Any:
        """The examples of the source domain, and the translation of the first one."""
        paths = some(name, to)
        first = translate(registry, name, paths[0], to) if paths else [None] * 3
        return gr.Gallery(paths), paths[0] if paths else None, *first

    def changed(name: Any) -> Any:
        offered = directions(registry.entry(name, fits))
        return gr.Radio(offered, value=_ahead(offered))

    def example(name: Any, to: Any, event: gr.SelectData) -> Any:
        paths = some(name, to)
        return paths[event.index % len(paths)] if paths else None

    tell, told_ = endpoint(told), [shown, picture, *found]
    then(on(model.input, endpoint(changed), [model], [to]), tell, [model, to], told_)
    once(opened, tell, [model, to], told_)
    on(to.input, tell, [model, to], told_)

    def next_one(name: Any, to: Any, number: Any) -> Any:
        paths = some(name, to)
        number = number + 1 if isinstance(number, int) else 1
        return (paths[number % len(paths)] if paths else None), number

    chosen = on(shown.select, example, [model, to], [picture])
    for event in (chosen, on(go.click, next_one, [model, to, turn], [picture, turn])):
        then(event, translated, [model, picture, to], found)
    with shared:
        sharing(TITLE, fields, [there.change], recipe=endpoint(again_of, registry))
    return fields


def _ahead(offered: list[tuple[str, str]]) -> str:
    """The default target: the last domain in alphabetical order, so `b` for `a` and `b`."""
    return max(to for _, to in offered)
