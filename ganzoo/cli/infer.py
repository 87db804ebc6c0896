"""Commands that apply a trained model to pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    columns,
    err,
    escape,
    is_folder,
    out,
)
from ganzoo.cli.inputs import Labels, OneLabel, OneText, TaskName, Texts, Values, inputs
from ganzoo.errors import DataError

MOST_PAIRS = 256
"""The most pairs on a sheet."""
PairsOutput = Annotated[
    str, typer.Option("-o", "--output", help="A sheet of pairs, or DIR/ for single files.")
]
NoiseSeed = Annotated[int, typer.Option(help="Seed of the noise, if the model draws any.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Fail on an unreadable image instead of skipping it.")
]


@app.command()
def reconstruct(
    model: ModelName,
    files: PictureFiles,
    output: PairsOutput = "reconstructions.png",
    seed: NoiseSeed = 0,
    label: OneLabel = None,
    text: OneText = None,
    values: Values = None,
    task: TaskName = None,
    device: Device = "cpu",
    strict: Strict = False,
) -> None:
    """Encode and decode pictures, as pairs on one sheet."""
    found = pictures_of(files)
    _check_pairs(output, found)
    from ganzoo.hub import from_pretrained
    from ganzoo.models.inference import reconstructions

    loaded = from_pretrained(model, device=device)
    chosen = loaded.task("reconstruct", task)
    given = inputs(loaded, chosen, label, text, values, pictures=True).only()
    unread, read = list[DataError](), list[Path]()
    originals, made = reconstructions(
        loaded, found, seed, task=task, strict=strict, note=unread.append, read=read.append, **given
    )
    _save_pairs(originals, [made], read, output, loaded.title)
    _left_out(unread)


@app.command()
def translate(
    model: ModelName,
    files: PictureFiles,
    to: Annotated[str, typer.Option(help="The domain, such as b.")],
    output: PairsOutput = "translations.png",
    seed: NoiseSeed = 0,
    label: Labels = None,
    text: Texts = None,
    values: Values = None,
    device: Device = "cpu",
    strict: Strict = False,
) -> None:
    """Translate pictures to another domain, as pairs on one sheet.

    Of several classes, texts or values, each is a row of translations.
    """
    found = pictures_of(files)
    _check_pairs(output, found)
    import torch

    from ganzoo.hub import from_pretrained
    from ganzoo.models.drawing import in_words
    from ganzoo.models.inference import translations

    loaded = from_pretrained(model, device=device)
    task = loaded.translation(to)
    given = inputs(loaded, task, label, text, values, pictures=True)
    first, *others = rows = given.rows()
    unread, read = list[DataError](), list[Path]()
    originals, made = translations(
        loaded, found, to, seed, strict=strict, note=unread.append, read=read.append,
        **first, **given.numbers,
    )  # fmt: skip
    images = torch.from_numpy(originals)
    translated = [made] + [
        loaded.translate(images, to=to, seed=seed, output="pt", **other, **given.numbers)
        for other in others
    ]
    said = in_words(loaded, task, given.in_turn(len(rows)), len(rows))
    _save_pairs(originals, translated, read, output, loaded.title, f" in {to}{_said(rows)}", said)
    _left_out(unread)


def _left_out(unread: list[DataError]) -> None:
    """Print the pictures that could not be read; if there are any, exit with status 1."""
    for error in unread:
        err.print(f"left out: {error}", style="red", markup=False)
    if unread:
        raise typer.Exit(1)


def _check_pairs(output: str, files: list[Path]) -> None:
    """Raise if the sheet cannot be written, would overwrite an input picture, or is too large."""
    if is_folder(output):
        check_folder(Path(output))
        return
    place = Path(output)
    check_output(place, "the sheet", PICTURES)
    if place.exists() and any(file.exists() and place.samefile(file) for file in files):
        raise DataError(f"-o {output}: this is one of the pictures; give the sheet another name")
    if len(files) > MOST_PAIRS:
        raise DataError(
            f"-o {output}: {len(files):,} pictures are too many for one sheet; -o {place.stem}/ "
            "writes single files"
        )


def _said(rows: Sequence[Mapping[str, Any]]) -> str:
    """What was given beside the pictures: ` (label blond, black)`."""
    words = [f"{word} {', '.join(str(row[word]) for row in rows)}" for word in rows[0]]
    return f" ({'; '.join(words)})" if words else ""


def _save_pairs(
    originals: Any,
    made: Sequence[Any],
    files: list[Path],
    output: str,
    title: str,
    where: str = "",
    given: Sequence[Mapping[str, Any]] = ({},),
) -> None:
    """Write the sheet, or a file for each picture that was made, and print the path.

    Args:
        made: what the model made of them, once for each of `given`.
    """
    number = len(originals)
    what, it = ("1 picture", "it") if number == 1 else (f"{number:,} pictures", "them")
    if is_folder(output):
        import numpy as np

        from ganzoo.models.inference import save_made

        # all that is made of one picture together
        images = np.stack([np.asarray(one) for one in made], 1)
        sources = [file for file in files for _ in given]
        save_made(images.reshape(-1, *images.shape[2:]), sources, Path(output), [*given] * number)
        out.print(f"what {title} makes of {what}{where}: {output}", markup=False)
        return
    from ganzoo import pictures

    pictures.pairs(originals, *made).save(Path(output), optimize=True)
    out.print(f"{what} above what {title} makes of {it}{where}: {output}", markup=False)


@app.command()
def score(
    model: ModelName,
    files: PictureFiles,
    csv: Annotated[Path | None, typer.Option(help="A table of all: file, score, verdict.")] = None,
    maps: Annotated[Path | None, typer.Option(help="A folder for heat maps of anomalies.")] = None,
    normal: Annotated[
        str | None,
        typer.Option(
            help="For a folder with one subfolder per class: the subfolders of normal pictures "
            "(good, or good+ok). Prints AUROC, false alarms, and the detection rate of each class."
        ),
    ] = None,
    seed: NoiseSeed = 0,
    label: OneLabel = None,
    text: OneText = None,
    values: Values = None,
    task: TaskName = None,
    device: Device = "cpu",
    strict: Strict = False,
) -> None:
    """Compute anomaly scores of images; the highest are listed first.

    Unreadable pictures are skipped and listed at the end.
    """
    from rich.progress import track

    from ganzoo.hub import from_pretrained
    from ganzoo.models import inference as files_

    found = pictures_of(files)
    kinds = _kinds(files, found, normal) if normal is not None else []
    if csv is not None:
        check_output(csv, "the table", (".csv",), "--csv")
    if maps is not None and maps.exists() and not maps.is_dir():
        raise DataError(f"--maps {maps}: this is a file; give a folder")
    loaded = from_pretrained(model, device=device)
    chosen = loaded.task("score", task)
    given = inputs(loaded, chosen, label, text, values, pictures=True).only()
    scored = files_.scored(
        loaded, found, task=task, seed=seed, maps=maps is not None, strict=strict, **given
    )
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
    if normal is not None:
        _agreement(rows, kinds, set(normal.split("+")))
    for place, what in ((csv, "scores"), (maps, "heat maps")):
        if place is not None:
            out.print(f"{what}: {place}", markup=False)
    unread = [row for row in rows if row.score is None]
    for row in unread:
        err.print(f"not scored: {row.error}", style="red", markup=False)
    if unread:
        raise typer.Exit(1)


def _kinds(given: list[Path], found: list[Path], normal: str) -> list[str]:
    """The subfolder of each picture of a folder.

    Raises:
        DataError: there are no class subfolders, or the normal ones are not among them.
    """
    from ganzoo.data.class_folders import ClassFolders

    if len(given) != 1 or not given[0].is_dir():
        raise DataError("--normal is for one folder with a subfolder for each class; give that")
    parts = [file.relative_to(given[0]).parts for file in found]
    ClassFolders(parts, normal=normal.split("+")).check(f"{given[0]},normal={normal}")
    return [one[0] for one in parts]


def _agreement(rows: list[Any], kinds: list[str], normal: set[str]) -> None:
    """How well the scores separate normal pictures from all others."""
    from ganzoo.models.scores import auroc

    known = [(row, kind) for row, kind in zip(rows, kinds, strict=True) if row.score is not None]
    scores = {
        its: [row.score for row, kind in known if (kind in normal) is its] for its in (True, False)
    }
    if not all(scores.values()):
        return
    out.print(f"AUROC {auroc(scores[True], scores[False]):.3f}", markup=False)
    table = columns("class", "pictures", "strange", "share")
    for name in sorted({kind for _, kind in known}, key=lambda name: (name not in normal, name)):
        verdicts = [row.is_anomaly for row, kind in known if kind == name]
        if None in verdicts:
            return
        count = sum(map(bool, verdicts))
        about = f"{escape(name)} (normal)" if name in normal else escape(name)
        table.add_row(about, f"{len(verdicts):,}", f"{count:,}", f"{count / len(verdicts):.1%}")
    out.print(table)


def pictures_of(given: list[Path]) -> list[Path]:
    """The files, and those in the folders; `folder:PATH` is read as PATH."""
    from ganzoo.data.names import PREFIX, split_name
    from ganzoo.data.picture_files import pictures_in

    found: list[Path] = []
    for path in given:
        if str(path).startswith(PREFIX) and not path.exists():
            folder, options = split_name(str(path))
            if options:
                raise DataError(
                    f"{path}: the model has its own preprocessing; give just the folder, {folder}"
                )
            found += pictures_in(folder)
        else:
            found += pictures_in(path) if path.is_dir() else [path]
    return found


def _scores(rows: list[Any], threshold: float | None, most: int = 20) -> None:
    """A table of the files with the highest scores, and the counts."""
    known = sorted((row for row in rows if row.score is not None), key=lambda row: -row.score)
    if not known:
        return
    table = columns("picture", "score", "verdict")
    for row in known[:most]:
        verdict = {None: "", True: "strange", False: "normal"}[row.is_anomaly]
        table.add_row(escape(str(row.file)), f"{row.score:.4g}", verdict)
    out.print(table)
    if len(known) > most:
        out.print(f"and {len(known) - most:,} with lower scores", markup=False)
    if threshold is not None:
        strange = sum(bool(row.is_anomaly) for row in known)
        out.print(
            f"{strange:,} of {len(known):,} above the threshold {threshold:.4g}", markup=False
        )
