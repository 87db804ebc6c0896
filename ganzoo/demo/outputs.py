"""Pictures for people: sheets and animations as files that are written once.

A file is named by its content and appears whole, so that a browser that fetches it while the
same picture is made again never sees half of it.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganzoo import pictures

WIDTH = 1000
"""Pixels that a sheet is wide, about."""
FRAMES = 25
"""Pictures of an animation from one seed to another."""


def folder() -> Path:
    """Where the app keeps its files: Gradio's folder, which `ganzoo.demo` makes its own."""
    from gradio.utils import get_upload_folder

    return Path(get_upload_folder())


def keep(content: bytes, ending: str) -> str:
    """Write a file unless it is there; its path."""
    path = folder() / hashlib.sha256(content).hexdigest()[:32] / f"ganzoo{ending}"
    if path.exists():
        os.utime(path)  # it is in use again, and not old
    else:
        _appear(path, content)
    return str(path)


def _appear(path: Path, content: bytes) -> None:
    """Write a file that is whole at once; unlike `ganzoo.atomic`, it need not outlive a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{threading.get_ident()}-{path.name}")
    draft.write_bytes(content)
    draft.replace(path)


def png(image: Image.Image) -> str:
    content = io.BytesIO()
    image.save(content, "PNG", compress_level=1)
    return keep(content.getvalue(), ".png")


def sheet(images: Any, columns: int | None = None, width: int = WIDTH) -> Image.Image:
    """Images (n, c, h, w) in [0, 1] on one ground, enlarged for the eye.

    What lies between them has the colour of their own edges, so that digits stand on one black
    and drawings on one white.
    """
    tiles = pictures.sheet(images, columns=columns, scale=1, gap=1, background=_ground(images))
    return enlarged(tiles, width)


def each(images: np.ndarray) -> list[str]:
    """Images (n, c, h, w) in [0, 1] as files of their own, pixel by pixel."""
    pixels = pictures.to_uint8(images)
    return [png(Image.fromarray(one[..., 0] if one.shape[-1] == 1 else one)) for one in pixels]


def enlarged(image: Image.Image, width: int = WIDTH) -> Image.Image:
    """The picture at a whole multiple of its size, smooth: small pictures are not mosaics."""
    image = image if image.mode in ("L", "RGB", "RGBA") else image.convert("RGB")
    factor = max(1, min(12, round(width / image.width)))
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.BICUBIC)


def _ground(images: Any) -> int:
    tiles = pictures.to_uint8(images)[..., :3]
    edges = np.concatenate([tiles[:, 0].reshape(-1), tiles[:, -1].reshape(-1)])
    return int(np.median(edges))


def animation(frames: Sequence[Any], columns: int | None = None) -> str:
    """A GIF that plays sheets of images forth and back."""
    shown = [sheet(images, columns, width=560) for images in frames]
    path = folder() / hashlib.sha256(b"".join(f.tobytes() for f in shown)).hexdigest()[:32]
    path.mkdir(parents=True, exist_ok=True)
    place = path / "ganzoo.gif"
    if not place.exists():
        draft = path / f".{os.getpid()}-{id(shown)}.gif"
        pictures.animation([*shown, *shown[-2::-1]], draft, seconds=5.0, hold=0.4)
        draft.replace(place)
    return str(place)
