"""The command that takes a model to other runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganzoo.cli import completion
from ganzoo.cli.console import ModelName, app, check_output, err, out
from ganzoo.errors import DataError, TaskError, choices, nearest

FORMATS = ("onnx", "torch", "html")


@app.command()
def export(
    model: ModelName,
    to: Annotated[
        str,
        typer.Option(
            help="onnx and torch (.pt2): a file a task. html: one page that draws and scores in "
            "a browser, without a network.",
            autocompletion=completion.one_of(*FORMATS),
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="A folder of files, the file of one task, or a page."),
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="Export only this task; can be repeated.")
    ] = None,
) -> None:
    """Write a model for other runtimes.

    Each file says what it takes and gives: names, ranges, classes, thresholds, preprocessing.
    """
    if to not in FORMATS:
        raise DataError(f"no format {to!r}{nearest(to, FORMATS)} allowed: {choices(FORMATS)}")
    if to == "html" and output is not None:
        check_output(output, "the page", (".html",))
    from ganzoo.export import files, page
    from ganzoo.hub import from_pretrained

    loaded = from_pretrained(model)
    stem = Path(loaded.title).name
    place = output or Path(f"{stem}.html")
    if to == "html":
        check_output(place, "the page", (".html",))
        made = page.write(loaded, place, task)
    else:
        places = files.places(loaded, to, output or Path(f"{stem}-{to}"), task or ())
        for one in places.values():
            if one.parent.exists():
                check_output(one, "the file of a task", (files.ENDINGS[to],))
        made = files.write(loaded, to, places)
    missing: list[files.Exported] = []
    written = set[Path]()
    for one in made:
        if one.path is None:
            missing.append(one)
        elif to != "html":
            out.print(f"{one.task}: {one.path}, {_size(one.path)}", markup=False)
        written |= {one.path} if one.path else set()
    if to == "html":
        out.print(f"{place}, {_size(place)}; open it in a browser", markup=False)
        if place.stat().st_size > page.LARGE:
            err.print("that is a large page; --task leaves the other tasks out", markup=False)
    for one in missing:
        err.print(f"left out: {one.reason}", style="red", markup=False)
    if not written:
        raise TaskError(f"no task of {loaded.title} could be exported")
    if missing:
        raise typer.Exit(1)


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:,.1f} MB"
