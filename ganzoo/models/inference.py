"""Picture files as inputs of a model: reconstruction, translation, scores, heat maps."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Pictures

from ganzoo import pictures
from ganzoo.atomic import write_bytes, write_text
from ganzoo.errors import DataError, TaskError
from ganzoo.models.images import pil_images
from ganzoo.models.model import Model
from ganzoo.spec.draws import Image
from ganzoo.spec.tasks import Task
from ganzoo.workers import workers

AT_ONCE = 64
"""Files that are read before they are scored together."""
MAP_SIDE = 256
"""Pixels to which a small heat map is enlarged."""


def reconstructions(
    model: Model,
    files: Sequence[Path],
    seed: int = 0,
    *,
    task: str | None = None,
    strict: bool = False,
    note: Callable[[DataError], None] = lambda error: None,
    read: Callable[[Path], None] = lambda file: None,
    **given: Any,
) -> tuple[Any, Any]:
    """Pictures as the model sees them, and their reconstructions: (n, c, h, w) in [0, 1].

    Args:
        task: the reconstruct task, where there are several; by default the first.
        strict: a picture that cannot be read is an error, and is not skipped.
        note: called with each skipped one. read: called with each other one, in order.
        given: other inputs of the task, such as `label=3`, and its numbers.

    Raises:
        TaskError: the model has no task of kind reconstruct.
        DataError: no picture can be read, or `strict` and one cannot.
    """
    draw = _image(model, model.task("reconstruct", task))
    originals = _all(model, files, draw, strict, note, read)
    images = torch.from_numpy(originals)
    return originals, model.reconstruct(images, task=task, seed=seed, output="pt", **given)


def translations(
    model: Model,
    files: Sequence[Path],
    to: str,
    seed: int = 0,
    *,
    strict: bool = False,
    note: Callable[[DataError], None] = lambda error: None,
    read: Callable[[Path], None] = lambda file: None,
    **given: Any,
) -> tuple[Any, Any]:
    """Pictures as the model sees them, and in the domain `to`: (n, c, h, w) in [0, 1].

    Args:
        strict: a picture that cannot be read is an error, and is not skipped.
        note: called with each skipped one. read: called with each other one, in order.
        given: other inputs of the task, such as `label=3`, and its numbers.

    Raises:
        TaskError: the model does not translate to that domain.
        DataError: no picture can be read, or `strict` and one cannot.
    """
    draw = _image(model, model.translation(to))
    originals = _all(model, files, draw, strict, note, read)
    images = torch.from_numpy(originals)
    return originals, model.translate(images, to=to, seed=seed, output="pt", **given)


@dataclass(frozen=True, eq=False)
class Scored:
    """The score of one file.

    Args:
        score: higher is stranger; None where the file could not be read, and `error` says why.
        is_anomaly: whether that is above the model's threshold; None without one.
        heat_map: the picture with anomalies highlighted, uint8 (height, width, 3), if it was
            requested.
    """

    file: Path
    score: float | None = None
    is_anomaly: bool | None = None
    heat_map: np.ndarray | None = None
    error: str = ""


def scored(
    model: Model,
    files: Sequence[Path],
    *,
    task: str | None = None,
    seed: int = 0,
    maps: bool = False,
    strict: bool = False,
    **given: Any,
) -> Iterator[Scored]:
    """The score of each file, in their order; an unreadable file does not stop the others.

    Args:
        task: the score task, where there are several; by default the first.
        seed: of the noise, where the task draws some.
        maps: heat maps, too. Their colours are comparable within the model: full intensity is a
            fixed strangeness, a pixel off by half of the range of values.
        strict: a picture that cannot be read is an error.
        given: other inputs of the task, such as `label=3`, and its numbers.

    Raises:
        TaskError: the model has no such task, or no map.
        DataError: `strict`, and a picture cannot be read.
    """
    chosen = model.task("score", task)
    draw = _image(model, chosen)
    if maps and chosen.map is None:
        raise TaskError(f"{model.title} has no anomaly map")
    for first in range(0, len(files), AT_ONCE):
        found: dict[int, Scored] = {}
        images: dict[int, np.ndarray] = {}
        batch = files[first : first + AT_ONCE]
        for index, one in enumerate(_each(model, batch, draw)):
            if isinstance(one, np.ndarray):
                images[index] = one
            elif strict:
                raise one
            else:
                found[index] = Scored(batch[index], error=str(one))
        if images:
            stack = np.concatenate(list(images.values()))
            images_ = torch.from_numpy(stack)
            scores = model.score(images_, task=task, seed=seed, maps=maps, **given)
            heat = [None] * len(stack)
            if scores.maps is not None:
                heat = [*pictures.heat_maps(stack, scores.maps, most=1.0)]
            for row, index in enumerate(images):
                verdict = None if scores.is_anomaly is None else bool(scores.is_anomaly[row])
                value = float(scores.values[row])
                found[index] = Scored(batch[index], value, verdict, heat[row])
        yield from (found[index] for index in range(len(batch)))


def save_heat_map(row: Scored, folder: Path, number: int) -> Path | None:
    """Write the heat map of a file to `folder`; its number distinguishes files of one name."""
    if row.heat_map is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    height, width = row.heat_map.shape[:2]
    scale = max(1, MAP_SIDE // max(height, width))
    path = folder / f"{number:05d}-{row.file.stem}.png"
    picture = Pictures.fromarray(row.heat_map)
    picture.resize((width * scale, height * scale), Pictures.Resampling.NEAREST).save(path)
    return path


def save_made(
    made: Any,
    files: Sequence[Path],
    folder: Path,
    given: Sequence[Mapping[str, Any]] | None = None,
) -> None:
    """One PNG for each picture, and manifest.jsonl with the file that it was made from.

    Args:
        made: (n, c, h, w) in [0, 1]. files: the sources, n.
        given: for each, other inputs that it was made from.
    """
    others = given or [{}] * len(files)
    folder.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    rows = zip(np.asarray(made), files, others, strict=True)
    for number, (image, file, other) in enumerate(rows, 1):
        name = f"{number:05d}-{file.stem}.png"
        (picture,) = pil_images(image.transpose(1, 2, 0)[None])
        content = io.BytesIO()
        picture.save(content, "PNG")
        write_bytes(folder / name, content.getvalue())
        lines.append(json.dumps({"file": name, "of": str(file), **other}, ensure_ascii=False))
    write_text(folder / "manifest.jsonl", "\n".join(lines) + "\n")


def write_csv(rows: Sequence[Scored], path: Path) -> Path:
    """One line for each file: `file,score,is_anomaly,error`; written atomically."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["file", "score", "is_anomaly", "error"])
    for row in rows:
        score = "" if row.score is None else f"{row.score:.9g}"
        verdict = "" if row.is_anomaly is None else str(row.is_anomaly).lower()
        lines.writerow([str(row.file), score, verdict, row.error])
    write_text(path, text.getvalue())
    return path


def _image(model: Model, task: Task) -> Image:
    """The image that a task takes."""
    draws = (model.spec.draws[name] for name in model.spec.draws_of(task))
    return next(draw for draw in draws if isinstance(draw, Image))


def _all(
    model: Model,
    files: Sequence[Path],
    draw: Image,
    strict: bool,
    note: Callable[[DataError], None],
    read: Callable[[Path], None],
) -> np.ndarray:
    """The pictures that can be read, as the model sees them: (n, c, h, w) in [0, 1]."""
    images, unread = list[np.ndarray](), list[DataError]()
    for file, one in zip(files, _each(model, files, draw), strict=True):
        if isinstance(one, np.ndarray):
            images.append(one)
            read(file)
        elif strict:
            raise one
        else:
            unread.append(one)
    if unread and not images:
        raise unread[0]
    for error in unread:
        note(error)
    return np.concatenate(images)


def _each(model: Model, files: Sequence[Path], draw: Image) -> Iterator[np.ndarray | DataError]:
    """Each picture as the model sees it, (1, c, h, w) in [0, 1], or why it cannot be read."""

    def one(file: Path) -> np.ndarray | DataError:
        try:
            if not file.is_file():
                raise DataError(f"no picture {str(file)!r}; give files such as jpg, png or webp")
            pixels = model.preprocessing.file(file, draw.shape)
        except DataError as error:
            return error
        return pixels[None].astype(np.float32) / 255

    with workers() as threads:
        yield from threads.map(one, files)
