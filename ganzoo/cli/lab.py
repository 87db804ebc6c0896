"""The command that opens the laboratory, or writes it as an HTML file."""

from __future__ import annotations

import tempfile
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from ganzoo.atomic import write_bytes
from ganzoo.cli.console import app, err, out
from ganzoo.errors import GanzooError


@app.command()
def lab(
    export: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it as one HTML file that needs no server."),
    ] = None,
    lesson: Annotated[
        int | None, typer.Option(min=1, help="Open it at one of the ten lessons.")
    ] = None,
) -> None:
    """Open the laboratory: a GAN in two dimensions, in the browser."""
    from ganzoo.lab import lessons
    from ganzoo.lab.page import page

    if lesson is not None and lesson > len(lessons.all()):
        raise GanzooError(f"there is no lesson {lesson}; allowed: 1 to {len(lessons.all())}")
    place = export or Path(tempfile.mkdtemp(prefix="ganzoo-lab-")) / "lab.html"
    if place.is_dir():
        raise GanzooError(f"{place} is a folder; name a file, as in --export {place}/lab.html")
    with err.status("writing the laboratory"):
        text = page()
    try:
        write_bytes(place, text.encode())
    except OSError as error:
        raise GanzooError(f"cannot write {place}: {error}") from None
    address = place.resolve().as_uri() + (f"#lesson={lesson}" if lesson else "")
    out.print(f"the laboratory is at {address}", markup=False, soft_wrap=True)
    if export is None and not webbrowser.open(address):
        out.print("no browser found; open the address in one", markup=False)
