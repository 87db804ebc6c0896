"""Commands that use a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ganzoo.cli.console import PICTURES, app, check_output, columns, err, escape, out
from ganzoo.errors import DataError


@app.command()
def sample(
    model: Annotated[str, typer.Argument(help="A model (`ganzoo models`), or a folder.")],
    n: Annotated[int, typer.Option("-n", min=1, max=10_000, help="How many.")] = 64,
    seed: Annotated[int, typer.Option(help="Of the noise.")] = 0,
    output: Annotated[Path, typer.Option("-o", "--output", help="The picture.")] = Path(
        "samples.png"
    ),
    label: Annotated[int | None, typer.Option(help="The class, for conditional models.")] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(help="What to draw, for models that take sentences; may be given again."),
    ] = None,
    task: Annotated[str | None, typer.Option(help="The task, where there are several.")] = None,
) -> None:
    """Draw samples of a model as one sheet.

    Of several texts, each is drawn in turn.
    """
    from ganzoo import pictures
    from ganzoo.hub import from_pretrained
    from ganzoo.runs import samples

    check_output(output, "the sheet", PICTURES)
    loaded = from_pretrained(model)
    given: dict[str, Any] = {} if label is None else {"label": label}
    if text:
        given["text"] = [text[index % len(text)] for index in range(n)]
    if given:
        images = loaded.generate(n, seed=seed, output="pt", task=task, **given)
    else:
        images = samples(loaded, n, seed, task=task)
    pictures.save_sheet(images, output)
    out.print(f"{n} samples of {loaded.title}, seed {seed}: {output}", markup=False)


@app.command()
def reconstruct(
    model: Annotated[str, typer.Argument(help="A model (`ganzoo models`), or a folder.")],
    files: Annotated[list[Path], typer.Argument(metavar="PICTURE", help="Picture files.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The sheet.")] = Path(
        "reconstructions.png"
    ),
    seed: Annotated[int, typer.Option(help="Of the noise, where the model draws some.")] = 0,
) -> None:
    """Encode and decode pictures, as pairs on one sheet."""
    _check_pairs(output, files)
    from ganzoo.hub import from_pretrained
    from ganzoo.models.inference import reconstructions

    loaded = from_pretrained(model)
    _save_pairs(*reconstructions(loaded, files, seed), output, loaded.title)


@app.command()
def translate(
    model: Annotated[str, typer.Argument(help="A model (`ganzoo models`), or a folder.")],
    files: Annotated[list[Path], typer.Argument(metavar="PICTURE", help="Picture files.")],
    to: Annotated[str, typer.Option(help="The domain, such as b.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The sheet.")] = Path(
        "translations.png"
    ),
    seed: Annotated[int, typer.Option(help="Of the noise, where the model draws some.")] = 0,
) -> None:
    """Bring pictures to another domain, as pairs on one sheet."""
    _check_pairs(output, files)
    from ganzoo.hub import from_pretrained
    from ganzoo.models.inference import translations

    loaded = from_pretrained(model)
    _save_pairs(*translations(loaded, files, to, seed), output, loaded.title, f" in {to}")


def _check_pairs(output: Path, files: list[Path]) -> None:
    """Raise where the sheet cannot be written, or would be written over a picture."""
    check_output(output, "the sheet", PICTURES)
    if output.exists() and any(file.exists() and output.samefile(file) for file in files):
        raise DataError(f"-o {output}: this is one of the pictures; give the sheet another name")


def _save_pairs(originals: Any, made: Any, output: Path, title: str, where: str = "") -> None:
    """Write the sheet, and say what is on it."""
    from ganzoo import pictures

    pictures.save_pairs(originals, made, output)
    number = len(originals)
    what, it = ("1 picture", "it") if number == 1 else (f"{number} pictures", "them")
    out.print(f"{what} above what {title} makes of {it}{where}: {output}", markup=False)


@app.command()
def score(
    model: Annotated[str, typer.Argument(help="A model (`ganzoo models`), or a folder.")],
    files: Annotated[
        list[Path], typer.Argument(metavar="PICTURE", help="Picture files, or folders of them.")
    ],
    csv: Annotated[Path | None, typer.Option(help="A table of all: file, score, verdict.")] = None,
    maps: Annotated[
        Path | None, typer.Option(help="A folder for heat maps: what is strange glows.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="The task, where there are several.")] = None,
) -> None:
    """Say how strange pictures are; the strangest are listed first.

    A picture that cannot be read is named at the end, and stops no other.
    """
    from rich.progress import track

    from ganzoo.data.folder import pictures_in
    from ganzoo.hub import from_pretrained
    from ganzoo.models import inference as files_

    found = [one for file in files for one in (pictures_in(file) if file.is_dir() else [file])]
    if csv is not None:
        check_output(csv, "the table", (".csv",), "--csv")
    if maps is not None and maps.exists() and not maps.is_dir():
        raise DataError(f"--maps {maps}: this is a file; give a folder")
    loaded = from_pretrained(model)
    scored = files_.scored(loaded, found, task=task, maps=maps is not None)
    rows: list[files_.Scored] = []
    for row in track(
        scored, "scoring", total=len(found), console=err, disable=len(found) < 2, transient=True
    ):
        rows.append(row)
        if maps is not None:
            files_.save_heat_map(row, maps, len(rows))
    if csv is not None:
        files_.write_csv(rows, csv)
    _scores(rows, loaded.thresholds.get(task or next(iter(loaded.tasks("score")))))
    for place, what in ((csv, "scores"), (maps, "heat maps")):
        if place is not None:
            out.print(f"{what}: {place}", markup=False)
    unread = [row for row in rows if row.score is None]
    for row in unread:
        err.print(f"not scored: {row.error}", style="red", markup=False)
    if unread:
        raise typer.Exit(1)


def _scores(rows: list[Any], threshold: float | None, most: int = 20) -> None:
    """The strangest of scored files as a table, and how many there are."""
    known = sorted((row for row in rows if row.score is not None), key=lambda row: -row.score)
    if not known:
        return
    table = columns("picture", "score", "verdict")
    for row in known[:most]:
        verdict = {None: "", True: "strange", False: "normal"}[row.is_anomaly]
        table.add_row(escape(str(row.file)), f"{row.score:.4g}", verdict)
    out.print(table)
    if len(known) > most:
        out.print(f"and {len(known) - most:,} that are less strange", markup=False)
    if threshold is not None:
        strange = sum(bool(row.is_anomaly) for row in known)
        out.print(
            f"{strange:,} of {len(known):,} above the threshold {threshold:.4g}", markup=False
        )
