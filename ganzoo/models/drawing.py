"""Samples as files: pictures with a manifest, arrays, and interpolations."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ganzoo.atomic import write_bytes, write_text
from ganzoo.errors import DataError, TaskError
from ganzoo.models.labels import class_numbers, label_of
from ganzoo.models.latents import PSI, of_seed, on_the_way, straight
from ganzoo.models.model import Model
from ganzoo.spec.tasks import Task

MANIFEST = "manifest.jsonl"
AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Drawn:
    """Samples, and what each was drawn from.

    Args:
        images: float32 (n, c, h, w) in [0, 1].
        rows: for each sample `seed` and `row`, by which the model draws it again, and its
            inputs: `label` and `class`, `text`, numbers.
    """

    images: np.ndarray
    rows: list[dict[str, Any]]


def drawn(
    model: Model,
    n: int,
    seed: int = 0,
    *,
    task: str | None = None,
    truncation: float | None = None,
    numbers: Mapping[str, float] | None = None,
    **given: Sequence[Any],
) -> Drawn:
    """Samples of a seed; the first ones do not depend on `n`.

    Args:
        truncation: less than 1 gives more typical samples: the number psi of the task, if it has
            one, else the factor of its noise.
        numbers: other numbers of the task, by name.
        given: a value for each sample of the inputs of the task: `label=[...]`, `text=[...]`.

    Raises:
        TaskError: the model cannot draw, or not from these inputs.
    """
    chosen = model.task("generate", task)
    more: dict[str, Any] = dict(numbers or {})
    if truncation is not None and PSI in chosen.numbers:
        more[PSI] = truncation
    elif truncation is not None:
        more["noise"] = of_seed(model, chosen, n, seed, truncation)
        if not more["noise"]:
            raise TaskError(f"{model.title} has no noise that could be truncated")
    images = model.generate(n, seed=seed, output="pt", task=task, **given, **more).numpy()
    said = {"truncation": truncation} if truncation is not None else {}
    said |= numbers or {}
    words = in_words(model, chosen, given, n)
    return Drawn(images, [{"seed": seed, "row": row, **said, **words[row]} for row in range(n)])


def in_words(
    model: Model, task: Task, given: Mapping[str, Sequence[Any]], n: int
) -> list[dict[str, Any]]:
    """The inputs of each of `n` samples, as JSON: classes by number and by name."""
    label = label_of(model.spec, task)
    rows: list[dict[str, Any]] = [{} for _ in range(n)]
    for word, values in given.items():
        if word == "label" and label is not None:
            values = class_numbers(word, label, values).tolist()
        for row, value in zip(rows, values, strict=True):
            row[word] = value
            if word == "label" and label is not None and label.names:
                row["class"] = label.names[value]
    return rows


def save_folder(found: Drawn, folder: Path) -> None:
    """One PNG for each sample, and manifest.jsonl with a line for each file, in their order.

    Raises:
        DataError: the folder already has a manifest, which would no longer be true.
    """
    from ganzoo.models.images import pil_images

    if (folder / MANIFEST).exists():
        raise DataError(f"{str(folder)!r} holds samples already ({MANIFEST}); name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    digits = max(5, len(str(len(found.rows) - 1)))
    for start in range(0, len(found.rows), AT_ONCE):
        some = found.images[start : start + AT_ONCE].transpose(0, 2, 3, 1)
        for place, picture in enumerate(pil_images(some), start):
            name = f"{place:0{digits}}.png"
            content = io.BytesIO()
            picture.save(content, "PNG")
            write_bytes(folder / name, content.getvalue())
            lines.append(json.dumps({"file": name, **found.rows[place]}, ensure_ascii=False))
    write_text(folder / MANIFEST, "\n".join(lines) + "\n")


def save_arrays(found: Drawn, path: Path) -> None:
    """An NPZ file: `images` uint8 (n, h, w, c), and an array for each word of the rows."""
    levels = (found.images.transpose(0, 2, 3, 1) * 255).round().astype(np.uint8)
    columns: dict[str, Any] = {
        key: np.array([row[key] for row in found.rows]) for key in found.rows[0]
    }
    content = io.BytesIO()
    np.savez_compressed(content, images=levels, **columns)
    write_bytes(path, content.getvalue())


# ------------------------------------------------------------------------------- on the way


def walk(
    model: Model,
    stops: Sequence[int] | np.ndarray,
    frames: int,
    *,
    task: str | None = None,
    truncation: float | None = None,
    **given: Any,
) -> np.ndarray:
    """Images on the way from one stop to the next: float32 (frames, c, h, w) in [0, 1].

    Args:
        stops: seeds, which stand for their first samples, or codes (n, d), which the model
            decodes (`Model.latent`).
        frames: how many in all; the first and the last are stops.
        truncation: as `drawn`. given: inputs of the task, such as `label=3`.

    Raises:
        TaskError: fewer than two stops, or the model cannot draw from them.
    """
    if len(stops) < 2:
        raise TaskError(f"an interpolation has at least two stops, not {len(stops)}")
    places = np.linspace(0, len(stops) - 1, max(frames, len(stops)))
    legs = [(min(int(place), len(stops) - 2), place) for place in places]
    if isinstance(stops, np.ndarray):
        codes = np.stack([straight(stops[i], stops[i + 1], place - i) for i, place in legs])
        return model.decode(codes, output="pt").numpy()
    chosen = model.task("generate", task)
    numbers = {PSI: truncation} if truncation is not None and PSI in chosen.numbers else {}
    scale = 1.0 if truncation is None or numbers else truncation
    noise = [of_seed(model, chosen, 1, seed, scale) for seed in stops]
    if not noise[0]:
        raise TaskError(f"{model.title} has no noise that has a way between two seeds")
    ways = [on_the_way(model, chosen, noise[i], noise[i + 1], place - i) for i, place in legs]
    rows = {name: np.concatenate([way[name] for way in ways]) for name in noise[0]}
    return model.generate(
        len(legs), seed=stops[0], noise=rows, task=task, output="pt", **numbers, **given
    ).numpy()


def save_video(frames: Iterable[np.ndarray], path: Path, rate: int) -> None:
    """An MP4 of frames, uint8 (h, w, 3) of even sides, `rate` a second (H.264).

    Raises:
        TaskError: PyAV, which writes it, is not installed.
    """
    if not find_spec("av"):
        raise TaskError(
            'an .mp4 needs PyAV: pip install "ganzoo-core[video]"; a .gif needs nothing more'
        )
    import av

    content = io.BytesIO()
    with av.open(content, "w", format="mp4") as container:
        stream: Any = None
        for frame in frames:
            if stream is None:
                stream = container.add_stream("libx264", rate=rate)
                stream.height, stream.width = frame.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.options = {"crf": "18"}
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    write_bytes(path, content.getvalue())


def enlarged(images: np.ndarray, least: int = 256) -> list[np.ndarray]:
    """Frames uint8 (h, w, 3) of images (n, c, h, w), enlarged by an integer, with even sides."""
    side = max(images.shape[2:])
    scale = max(1, -(-least // side))
    scale += scale % 2 if images.shape[2] % 2 or images.shape[3] % 2 else 0
    levels = (images.transpose(0, 2, 3, 1) * 255).round().astype(np.uint8)
    if levels.shape[3] == 4:
        alpha = levels[..., 3:].astype(np.uint16)
        levels = ((levels[..., :3] * alpha + 255 * (255 - alpha)) // 255).astype(np.uint8)
    frames = np.broadcast_to(levels, (*levels.shape[:3], 3)).repeat(scale, 1).repeat(scale, 2)
    return [np.ascontiguousarray(frame) for frame in frames]
