"""The page Anomalies: how strange a picture is to a model, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image as pil
from torch import Tensor

from ganzoo import pictures
from ganzoo.demo import canvas, inputs, outputs, recipes
from ganzoo.demo.address import Field, sharing
from ganzoo.demo.endpoints import MENU, checked_inside, endpoint, on, once, then
from ganzoo.demo.examples import NEXT, Examples, Shown
from ganzoo.demo.model_registry import ModelRegistry
from ganzoo.errors import DataError, GanzooError
from ganzoo.models.inference import Scored, write_csv
from ganzoo.models.model import Model
from ganzoo.spec.draws import NOISE, Image
from ganzoo.spec.spec import Spec

TITLE = "Anomalies"


def fits(spec: Spec) -> bool:
    """Whether it scores pictures alone."""
    return _task(spec) is not None


def _task(spec: Spec) -> str | None:
    """The score task: one with a threshold before one without."""
    found: list[str] = []
    for name, task in spec.tasks.items():
        draws = [spec.draws[draw] for draw in spec.draws_of(task)]
        given = [draw for draw in draws if not isinstance(draw, NOISE)]
        images = len(given) == 1 and isinstance(given[0], Image)
        # a critic is trained to tell data from samples, and calls other pictures anything
        if task.kind == "score" and images and not spec.estimated(task):
            found.append(name)
    return min(found, key=lambda name: spec.tasks[name].quantile is None, default=None)


def image_of(spec: Spec, task: str) -> Image:
    """The image that a task takes."""
    draws = map(spec.draws.__getitem__, spec.draws_of(spec.tasks[task]))
    return next(draw for draw in draws if isinstance(draw, Image))


# ------------------------------------------------------------------------------- functions


def score(
    registry: ModelRegistry, model: Any, picture: Any
) -> tuple[str, dict[str, Any], str, Any, Any]:
    """How strange a picture is to a model.

    model: a name of /models with the task score. picture: a file. Returns the verdict as HTML;
    {score, threshold, is_anomaly} as JSON, where higher is stranger and the last two are null
    without a threshold; and three PNGs: what the model sees, its reconstruction, and where it
    is strange, the last two null where the model has none.
    """
    loaded = registry.model(model, fits)
    return _scored(loaded, _uploaded(loaded, picture))


def score_drawing(
    registry: ModelRegistry, examples: Examples, model: Any, drawing: Any
) -> tuple[str, dict[str, Any], str, Any, Any]:
    """How strange a drawing is to a model.

    drawing: a PNG as a data URL, ink being what is not transparent. It is sized, centred and
    coloured as the model's pictures are. The rest as in /score.
    """
    loaded = registry.model(model, fits)
    draw = image_of(loaded.spec, _name(loaded))
    dark = examples.dark(registry.entry(model), draw)
    return _scored(loaded, loaded.seen(canvas.inked(drawing, draw.size, dark), draw))


def score_many(
    registry: ModelRegistry, model: Any, pictures: Any
) -> tuple[list[list[Any]], str, str | None]:
    """How strange many pictures are, at most 100.

    pictures: files, of at most 60 million pixels together. Returns the rows of a table, the
    strangest first: picture, score, verdict; the same in the order of the files as a CSV file;
    and the heat maps of the twelve strangest as a PNG, null where the model has none. A picture
    that cannot be read, or is too much, stops no other.
    """
    loaded = registry.model(model, fits)
    files = pictures if isinstance(pictures, list) else [pictures] if pictures else []
    if not files:
        raise DataError("no pictures; drop some, one or many")
    if len(files) > inputs.MOST_FILES:
        raise DataError(f"{len(files)} pictures; at most {inputs.MOST_FILES} are scored at once")
    task, name = loaded.spec.tasks[_name(loaded)], _name(loaded)
    draw = image_of(loaded.spec, name)
    rows: list[Scored] = []
    images: list[Any] = []
    work, known = inputs.Work(), dict[str, Any]()
    for file in files:
        try:
            # a file that is named again is not decoded again
            if (key := str(file)) not in known:
                known[key] = inputs.seen(loaded, draw, file, work=work).numpy()
            images.append(known[key])
            rows.append(Scored(Path(Path(file).name)))
        except GanzooError as error:
            rows.append(Scored(Path(Path(str(file)).name), error=str(error)))
    heat = None
    if images:
        stack = np.concatenate(images)
        found = loaded.score(stack.transpose(0, 2, 3, 1), task=name, maps=task.map is not None)
        good = iter(range(len(stack)))
        verdicts = found.is_anomaly
        for index, row in enumerate(rows):
            if not row.error:
                place = next(good)
                verdict = None if verdicts is None else bool(verdicts[place])
                rows[index] = Scored(row.file, float(found.values[place]), verdict)
        if found.maps is not None:
            strangest = np.argsort(-found.values)[:12]
            heat = outputs.png(_glowing(stack[strangest], found.maps[strangest], columns=6))
    table = [[_short(row.file.name), _value(row.score), _verdict(row)] for row in _ordered(rows)]
    return table, _csv(rows), heat


def _csv(rows: list[Scored]) -> str:
    place = outputs.folder() / "tables" / f"{abs(hash(tuple(map(repr, rows)))):x}"
    place.mkdir(parents=True, exist_ok=True)
    return str(write_csv(rows, place / "scores.csv"))


def _ordered(rows: list[Scored]) -> list[Scored]:
    """The strangest first, unread ones last."""
    return sorted(rows, key=lambda row: (row.score is None, -(row.score or 0)))


def _verdict(row: Scored) -> str:
    if row.error:
        return f"not scored: {row.error}"
    return {None: "", True: "strange", False: "normal"}[row.is_anomaly]


def _value(score: float | None) -> str:
    return "" if score is None else f"{score:.4g}"


def _short(name: str) -> str:
    return name if len(name) <= 40 else f"{name[:28]}...{name[-9:]}"


def _name(model: Model) -> str:
    name = _task(model.spec)
    assert name is not None  # the registry listed what fits
    return name


def _uploaded(model: Model, picture: Any) -> Tensor:
    """The picture in a file as the model sees it."""
    return inputs.seen(model, image_of(model.spec, _name(model)), picture)


def _scored(model: Model, seen: Tensor) -> tuple[str, dict[str, Any], str, Any, Any]:
    name = _name(model)
    found = model.score(seen, task=name, maps=model.spec.tasks[name].map is not None)
    value, threshold = float(found.values[0]), found.threshold
    strange = None if found.is_anomaly is None else bool(found.is_anomaly[0])
    again = heat = None
    if model.tasks("reconstruct"):
        again = outputs.png(outputs.sheet(model.reconstruct(seen, output="pt"), width=280))
    if found.maps is not None:
        heat = outputs.png(_glowing(seen.numpy(), found.maps))
    numbers = {"score": value, "threshold": threshold, "is_anomaly": strange}
    seen_ = outputs.png(outputs.sheet(seen, width=280))
    return scale(value, threshold), numbers, seen_, again, heat


def _glowing(images: np.ndarray, maps: np.ndarray, columns: int | None = None) -> pil.Image:
    """Heat maps as one sheet; full glow is a pixel off by half of the range, for all."""
    glowing = pictures.heat_maps(images, maps, most=1.0).transpose(0, 3, 1, 2) / 255
    return outputs.sheet(glowing, columns=columns, width=280 if len(images) == 1 else 900)


def scale(value: float, threshold: float | None) -> str:
    """A score as HTML: a word, and where it stands on a scale whose middle is the threshold."""
    if threshold is None:
        return (
            f'<div class="verdict"><div class="word">Score {value:.4g}</div>'
            "<div>Higher is stranger. This model has no threshold, so its scores can only be "
            "compared with each other.</div></div>"
        )
    strange = np.float32(value) > np.float32(threshold)
    ratio = value / threshold if threshold > 0 else float(strange) + 0.5
    word = "Strange" if strange else "Normal"
    colour = "#dc2626" if strange else "#0f766e"
    said = f"{ratio:.1f} times the threshold" if ratio >= 10 else f"{ratio:.2f} times the threshold"
    place = 100 * ratio / (1 + ratio)  # the threshold stands in the middle, infinity at the end
    return f"""
<div class="verdict"><div class="word"><span style="color:{colour}">●</span> {word}</div>
<div class="said">score <b>{value:.4g}</b> · {said}</div>
<div class="bar" style="background:linear-gradient(90deg,#99f6e4 0%,#5eead4 38%,#fde68a 50%,
#fca5a5 62%,#ef4444 100%)"><div class="line"></div>
<div class="mark" style="left:{place:.1f}%"></div></div>
<div class="under">threshold {threshold:.4g}</div></div>
"""


def again_of(registry: ModelRegistry, model: Any) -> tuple[str, str]:
    """The Python and the command that score a picture again."""
    entry = registry.entry(model, fits)
    name = _task(entry.spec) or ""
    other = recipes.other_task(entry, name, "score")
    given = recipes.arguments(task=repr(name) if other else None)
    python = recipes.lines(
        entry,
        f'scores = model.score("picture.png"{given})',
        "print(scores.values, scores.threshold, scores.is_anomaly)",
    )
    return python, recipes.command(
        "score", entry, "picture.png", *(["--task", name] if other else [])
    )


# ------------------------------------------------------------------------------------ page


def page(registry: ModelRegistry, opened: Any, examples: Examples) -> list[Field]:
    """Lay out the page, which fills when `opened` happens; the settings of its address."""
    names = registry.names(fits)
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=300):
            model = gr.Dropdown(names, value=names[0], label="Model", **MENU)
            about = gr.Markdown(elem_classes="note")
            with gr.Tabs():
                with gr.Tab("A picture"):
                    picture = gr.Image(
                        type="filepath", image_mode=None, label="Picture", height=246,
                        sources=["upload", "clipboard"], elem_id="strange-input",
                        elem_classes="taken",
                    )  # fmt: skip
                    shown = gr.Gallery(
                        label="Examples", columns=5, height="auto", allow_preview=False,
                        format="png", buttons=[], elem_id="strange-examples",
                        elem_classes="examples",
                    )  # fmt: skip
                    go = gr.Button(NEXT, variant="primary", elem_id="score")
                    turn = gr.State(0)
                with gr.Tab("Draw"):
                    drawing, drawn = canvas.tab("drawing", "Score it", "score-drawing")
                with gr.Tab("Many pictures"):
                    files = gr.File(
                        file_count="multiple",
                        file_types=["image"],
                        label="Pictures",
                        height=200,
                        elem_id="strange-files",
                    )
                    many = gr.Button("Score them", variant="primary", elem_id="score-many")
        with gr.Column(scale=2, min_width=320):
            verdict = gr.HTML(label="Verdict", container=True, elem_id="verdict")
            with gr.Row():
                looks: dict[str, Any] = {"interactive": False, "format": "png", "min_width": 96,
                         "elem_classes": "picture", "buttons": []}  # fmt: skip
                seen = gr.Image(label="Input", elem_id="seen", **looks)
                again = gr.Image(label="Reconstruction", elem_id="again", **looks)
                heat = gr.Image(label="Heat map", elem_id="heat", **looks)
            with gr.Accordion("In numbers", open=False):
                numbers = gr.JSON(label="Score", show_label=False)
            shared = gr.Column(min_width=0)
            with gr.Column(visible=False) as results:
                table = gr.Dataframe(
                    headers=["picture", "score", "verdict"], interactive=False, wrap=True,
                    label="Scores, highest first", elem_id="table",
                )  # fmt: skip
                csv = gr.File(label="Table of scores (CSV)", interactive=False)
                maps = gr.Image(label="Heat maps of the highest scores", **looks)
    checked_inside(model, drawing)

    found = [verdict, numbers, seen, again, heat]
    of_file = endpoint(score, registry)
    on(picture.upload, of_file, [model, picture], found, name="score")
    on(
        drawn.click, endpoint(score_drawing, registry, examples), [model, drawing], found,
        name="score_drawing", js=canvas.taken("drawing"),
    )  # fmt: skip
    scored = on(
        many.click, endpoint(score_many, registry), [model, files], [table, csv, maps],
        name="score_many",
    )  # fmt: skip
    then(scored, lambda: gr.Column(visible=True), [], [results])

    def some(name: Any) -> tuple[list[str], Shown]:
        """The examples of a model as files, the strange one first."""
        loaded = registry.model(name, fits)
        task = _name(loaded)

        def flags(images: np.ndarray) -> Any:
            return loaded.score(images.transpose(0, 2, 3, 1), task=task).is_anomaly

        found = examples.with_strange(registry.entry(name), image_of(loaded.spec, task), flags)
        return outputs.each(found.images), found

    def told(name: Any) -> Any:
        """Facts and examples of a model, and the first example scored."""
        entry, loaded = registry.entry(name, fits), registry.model(name)
        paths, found = some(name)
        first = _scored(loaded, _uploaded(loaded, paths[0])) if paths else [None] * 5
        return (
            _facts(entry.spec, entry.data, loaded, found),
            gr.Gallery([*zip(paths, found.names, strict=True)]),
            paths[0] if paths else None,
            *first,
        )

    all_ = [about, shown, picture, *found]
    once(opened, endpoint(told), [model], all_)
    on(model.input, endpoint(told), [model], all_)

    def taken(name: Any, event: gr.SelectData) -> Any:
        paths, _ = some(name)
        return paths[event.index % len(paths)] if paths else None

    def next_one(name: Any, number: Any) -> Any:
        paths, _ = some(name)
        number = number + 1 if isinstance(number, int) else 1
        return (paths[number % len(paths)] if paths else None), number

    chosen = on(shown.select, taken, [model], [picture])
    then(chosen, of_file, [model, picture], found)
    then(on(go.click, next_one, [model, turn], [picture, turn]), of_file, [model, picture], found)
    fields = [Field("model", model, offered=lambda known: registry.names(fits), model=fits)]
    with shared:
        sharing(TITLE, fields, [seen.change], recipe=endpoint(again_of, registry))
    return fields


def _facts(spec: Spec, data: str, model: Model, found: Shown) -> str:
    """What the model knows as normal, and how it does with what is strange to it."""
    name = _task(spec)
    assert name is not None
    task = spec.tasks[name]
    base, _, left = data.partition(",without=")
    learnt = f"Trained on **{base}**" if base else "Its training data are not recorded"
    classes = found.strange or left.replace("+", " and ")
    without = f" without {classes}" if left else ""
    passes = (
        f" {task.quantile:.0%} of normal pictures score below the threshold of "
        f"{model.thresholds[name]:.4g}."
        if task.quantile and name in model.thresholds
        else ""
    )
    flagged = ""
    if found.flagged is not None:
        hits, of = found.flagged
        flagged = f" Of {of} pictures of {found.strange}, {hits} score above it."
    return f"{learnt}{without}.{passes}{flagged}"
