"""Commands that draw samples of a trained model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ganzoo.cli.console import (
    PICTURES,
    Device,
    ModelName,
    PictureFiles,
    app,
    check_folder,
    check_output,
    err,
    is_folder,
    out,
)
from ganzoo.cli.inputs import (
    Labels,
    OneLabel,
    OneText,
    TaskName,
    Texts,
    Values,
    classes,
    inputs,
)
from ganzoo.errors import DataError, TaskError

MOST_ON_A_SHEET = 10_000
RATE = 20
"""Frames per second."""
Truncation = Annotated[
    float | None,
    typer.Option(min=0.0, max=2.0, help="Less than 1: more typical samples, and less variety."),
]


@app.command()
def sample(
    model: ModelName,
    n: Annotated[int, typer.Option("-n", min=1, max=100_000, help="How many.")] = 64,
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            help="A sheet (.png), DIR/ for one file per sample and a manifest, or arrays (.npz).",
        ),
    ] = "samples.png",
    label: Labels = None,
    text: Texts = None,
    values: Values = None,
    truncation: Truncation = None,
    task: TaskName = None,
    device: Device = "cpu",
) -> None:
    """Draw samples of a model: a sheet, a folder of pictures, or arrays.

    Several classes, texts or values are drawn in turn.
    """
    folder, place = is_folder(output), Path(output)
    if folder:
        check_folder(place)
    else:
        check_output(place, "a sheet or archive", (*PICTURES, ".npz"))
        if place.suffix.lower() != ".npz" and n > MOST_ON_A_SHEET:
            raise DataError(
                f"-n {n}: a sheet holds at most {MOST_ON_A_SHEET:,}; -o {place.stem}/ writes "
                f"single files, -o {place.stem}.npz arrays"
            )
    from ganzoo import pictures
    from ganzoo.hub import from_pretrained
    from ganzoo.models import drawing
    from ganzoo.runs.samples import inputs as of_a_sheet

    loaded = from_pretrained(model, device=device)
    chosen = loaded.task("generate", task)
    defaults = of_a_sheet(loaded.spec, chosen, n)
    given = inputs(loaded, chosen, label, text, values, defaults=defaults)
    _check_truncation(truncation, given.numbers)
    found = drawing.drawn(
        loaded, n, seed, task=task, truncation=truncation, numbers=given.numbers, **given.in_turn(n)
    )
    if folder:
        drawing.save_folder(found, place)
    elif place.suffix.lower() == ".npz":
        drawing.save_arrays(found, place)
    else:
        pictures.save_sheet(found.images, place)
    out.print(f"{n} samples of {loaded.title}, seed {seed}: {output}", markup=False)


def _check_truncation(truncation: float | None, numbers: Mapping[str, float]) -> None:
    """Raise if a task's own truncation is given twice."""
    if truncation is not None and "psi" in numbers:
        raise TaskError("--truncation sets psi; give only one of them")


@app.command()
def interpolate(
    model: ModelName,
    stops: Annotated[
        list[str],
        typer.Argument(
            metavar="A B", help="Two or more seeds, or pictures for models that encode."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="A .gif, or .mp4.")] = Path(
        "walk.gif"
    ),
    frames: Annotated[int, typer.Option(min=2, max=2_000, help="Number of pictures.")] = 60,
    label: OneLabel = None,
    text: OneText = None,
    values: Values = None,
    truncation: Truncation = None,
    task: TaskName = None,
    device: Device = "cpu",
) -> None:
    """Interpolate between seeds, or between pictures, as an animation."""
    check_output(output, "the animation", (".gif", ".mp4"))
    if len(stops) < 2:
        raise TaskError(f"from {stops[0]} to where? Give two seeds or pictures, or more")
    seeds = [int(stop) for stop in stops if stop.removeprefix("-").isdigit()]
    if seeds and len(seeds) < len(stops):
        raise TaskError(f"stops are all seeds or all pictures, not both: {' '.join(stops)}")
    from PIL import Image

    from ganzoo import pictures
    from ganzoo.hub import from_pretrained
    from ganzoo.models import drawing

    loaded = from_pretrained(model, device=device)
    given: dict[str, Any] = {}
    if seeds:
        way: Any = seeds
        given = inputs(loaded, loaded.task("generate", task), label, text, values).only()
        _check_truncation(truncation, given)
    else:
        if loaded.latent is None:
            raise TaskError(
                f"{loaded.title} cannot decode, so its stops must be seeds: whole numbers"
            )
        if label is not None or text is not None or values:
            raise TaskError(
                "--label, --text and --set do not apply between pictures; leave them out"
            )
        way = loaded.encode([Path(stop) for stop in stops], task=loaded.latent)
    made = drawing.walk(loaded, way, frames, task=task, truncation=truncation, **given)
    shown = drawing.enlarged(made)
    if output.suffix.lower() == ".mp4":
        drawing.save_video(shown, output, RATE)
    else:
        pictures.animation(
            [Image.fromarray(one) for one in shown], output, seconds=len(shown) / RATE, hold=1
        )
    out.print(f"{len(shown)} pictures from {' to '.join(stops)}: {output}", markup=False)


@app.command()
def project(
    model: ModelName,
    files: PictureFiles,
    output: Annotated[Path, typer.Option("-o", "--output", help="The sheet of pairs.")] = Path(
        "projections.png"
    ),
    noise: Annotated[
        Path | None, typer.Option(help="Save the result: an .npz of noise, class and error.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, max=10_000, help="Steps of the search.")] = 200,
    starts: Annotated[int, typer.Option(min=1, max=64, help="Random starts per picture.")] = 8,
    seed: Annotated[int, typer.Option(help="Seed of the starts.")] = 0,
    label: Annotated[
        str | None, typer.Option(help="The class; by default several are tried.")
    ] = None,
    task: TaskName = None,
    device: Device = "cpu",
) -> None:
    """Find the samples of a model that come nearest to pictures (GAN inversion)."""
    from ganzoo.cli.infer import pictures_of

    check_output(output, "the sheet", PICTURES)
    if noise is not None:
        check_output(noise, "the archive", (".npz",), "--noise")
    found = pictures_of(files)
    if len(found) > MOST_PROJECTED:
        raise DataError(f"{len(found):,} pictures; at most {MOST_PROJECTED} are allowed at once")
    import numpy as np
    from rich.progress import Progress

    from ganzoo import pictures
    from ganzoo.atomic import write_bytes
    from ganzoo.hub import from_pretrained
    from ganzoo.models.projection import drawn_image
    from ganzoo.models.projection import project as project_

    loaded = from_pretrained(model, device=device)
    chosen = loaded.task("generate", task)
    with Progress(console=err, transient=True) as progress:
        bar = progress.add_task("searching", total=steps)
        made = project_(
            loaded, found, steps=steps, starts=starts, seed=seed, task=task,
            label=None if label is None else _class(loaded, chosen, label),
            note=lambda step: progress.advance(bar),
        )  # fmt: skip
    wanted = loaded.seen(found, drawn_image(loaded, chosen))
    pictures.save_pairs(wanted, made.images, output)
    if noise is not None:
        import io

        content = io.BytesIO()
        labels: dict[str, Any] = {} if made.labels is None else {"label": made.labels}
        arrays: dict[str, Any] = {"errors": made.errors, **labels, **made.noise}
        np.savez_compressed(content, **arrays)
        write_bytes(noise, content.getvalue())
    for file, error, before in zip(found, made.errors, made.starting, strict=True):
        out.print(f"{file}: mean squared error {error:.4f}, from {before:.4f}", markup=False)
    out.print(f"pictures above the nearest samples of {loaded.title}: {output}", markup=False)


def _class(model: Any, task: Any, label: str) -> Any:
    """The class of `--label`.

    Raises:
        TaskError: the task takes no class, or not that one.
    """
    from ganzoo.models.labels import label_of

    draw = label_of(model.spec, task)
    if draw is None:
        raise TaskError(f"{model.title} has no classes; leave --label out")
    return classes(draw, "label", [label])[0]


MOST_PROJECTED = 64
"""The most pictures of one search."""
