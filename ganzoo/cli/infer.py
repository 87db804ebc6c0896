"""Commands that use a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ganzoo.cli.console import PICTURES, app, check_output, columns, err, escape, out
from ganzoo.errors import DataError

Device = Annotated[str, typer.Option(help="Device: cpu, cuda, cuda:1, mps, ...")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Fail on an unreadable image instead of skipping it.")
]


@app.command()
def sample(
    model: Annotated[str, typer.Argument(help="A model (`ganzoo models`), or a folder.")],
    n: Annotated[int, typer.Option("-n", min=1, max=10_000, help="Number of samples.")] = 64,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    output: Annotated[Path, typer.Option("-o", "--output", help="Output image.")] = Path(
        "samples.png"
    ),
    label: Annotated[
        list[str] | None,
        typer.Option(help="Class number or name, for conditional models; can be repeated."),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(help="Prompt, for text-to-image models; can be repeated."),
    ] = None,
    task: Annotated[str | None, typer.Option(help="Task to run, if the model has several.")] = None,
    device: Device = "cpu",
) -> None:
    """Generate samples as one image grid.

    Of several classes or texts, each is drawn in turn.
    """
    from ganzoo import pictures
    from ganzoo.hub import from_pretrained
    from ganzoo.runs import samples

    check_output(output, "the sheet", PICTURES)
    loaded = from_pretrained(model, device=device)
    given: dict[str, Any] = {
        word: [said[index % len(said)] for index in range(n)]
        for word, said in (("label", _classes(loaded, label or [])), ("text", text))
        if said
    }
    if given:
        images = loaded.generate(n, seed=seed, output="pt", task=task, **given)
    else:
        images = samples(loaded, n, seed, task=task)
    pictures.save_sheet(images, output)
    out.print(f"{n} samples of {loaded.title}, seed {seed}: {output}", markup=False)


def _classes(model: Any, said: list[str]) -> list[str | int]:
    """Classes as they were typed: names, or numbers where no class is called so."""
    names = {name for draw in model.spec.draws.values() for name in getattr(draw, "names", ())}
    numbers = {word for word in said if word.isascii() and word.isdigit() and len(word) < 10}
    return [int(word) if word in numbers - names else word for word in said]


@app.command()
def reconstruct(
    model: Annotated[str, typer.Argument(help="A model (`ganzoo models`), or a folder.")],
    files: Annotated[list[Path], typer.Argument(metavar="PICTURE", help="Image files.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Output image.")] = Path(
        "reconstructions.png"
    ),
    seed: Annotated[int, typer.Option(help="Random seed, if the task uses noise.")] = 0,
    device: Device = "cpu",
    strict: Strict = False,
) -> None:
    """Reconstruct images; write originals and reconstructions side by side."""
    _check_pairs(output, files)
    from ganzoo.hub import from_pretrained
    from ganzoo.models.inference import reconstructions

    loaded = from_pretrained(model, device=device)
    unread: list[DataError] = []
    pairs = reconstructions(loaded, files, seed, strict=strict, note=unread.append)
    _save_pairs(*pairs, output, loaded.title)
    _left_out(unread)


@app.command()
def translate(
    model: Annotated[str, typer.Argument(help="A model (`ganzoo models`), or a folder.")],
    files: Annotated[list[Path], typer.Argument(metavar="PICTURE", help="Image files.")],
    to: Annotated[str, typer.Option(help="Target domain, such as b.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Output image.")] = Path(
        "translations.png"
    ),
    seed: Annotated[int, typer.Option(help="Random seed, if the task uses noise.")] = 0,
    device: Device = "cpu",
    strict: Strict = False,
) -> None:
    """Translate images to another domain; write both side by side."""
    _check_pairs(output, files)
    from ganzoo.hub import from_pretrained
    from ganzoo.models.inference import translations

    loaded = from_pretrained(model, device=device)
    unread: list[DataError] = []
    pairs = translations(loaded, files, to, seed, strict=strict, note=unread.append)
    _save_pairs(*pairs, output, loaded.title, f" in {to}")
    _left_out(unread)


def _left_out(unread: list[DataError]) -> None:
    """Name the pictures that could not be read; the exit status says that there were some."""
    for error in unread:
        err.print(f"left out: {error}", style="red", markup=False)
    if unread:
        raise typer.Exit(1)


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
    files: Annotated[list[Path], typer.Argument(metavar="PICTURE", help="Image files or folders.")],
    csv: Annotated[Path | None, typer.Option(help="Write a table: file, score, verdict.")] = None,
    maps: Annotated[Path | None, typer.Option(help="Folder for heat maps of anomalies.")] = None,
    task: Annotated[str | None, typer.Option(help="Task to run, if the model has several.")] = None,
    device: Device = "cpu",
    strict: Strict = False,
) -> None:
    """Compute anomaly scores of images; the highest are listed first.

    A picture that cannot be read is named at the end, and stops no other.
    """
    from rich.progress import track

    from ganzoo.hub import from_pretrained
    from ganzoo.models import inference as files_

    found = _pictures(files)
    if csv is not None:
        check_output(csv, "the table", (".csv",), "--csv")
    if maps is not None and maps.exists() and not maps.is_dir():
        raise DataError(f"--maps {maps}: this is a file; give a folder")
    loaded = from_pretrained(model, device=device)
    scored = files_.scored(loaded, found, task=task, maps=maps is not None, strict=strict)
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


def _pictures(given: list[Path]) -> list[Path]:
    """The files, and those below the folders; `folder:PATH` is understood as PATH."""
    from ganzoo.data.folder import PREFIX, split_name
    from ganzoo.data.picture_files import pictures_in

    found: list[Path] = []
    for path in given:
        if str(path).startswith(PREFIX) and not path.exists():
            folder, options = split_name(str(path))
            if options:
                raise DataError(
                    f"{path}: the model knows how its pictures are made to fit; give the folder "
                    f"alone, {folder}"
                )
            found += pictures_in(folder)
        else:
            found += pictures_in(path) if path.is_dir() else [path]
    return found


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
