"""Output pictures: sheets and animations as files that are written once.

Files are named by their content and appear atomically, so that a browser never reads a partial
file while the same picture is made again.
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

WIDTH = 760
"""The approximate width of a sheet, in pixels: of the widest place for one on a page. Twice as wide
takes four times as long to encode, which is most of the time of a small model's request."""
FRAMES = 25
"""The number of pictures of an animation between two seeds."""


def folder() -> Path:
    """The folder of the app's files: Gradio's folder, which `ganzoo.demo` sets."""
    from gradio.utils import get_upload_folder

    return Path(get_upload_folder())


def keep(content: bytes, ending: str, stem: str = "ganzoo") -> str:
    """Write a file unless it exists; returns its path."""
    path = folder() / hashlib.sha256(content).hexdigest()[:32] / f"{stem}{ending}"
    if path.exists():
        os.utime(path)  # it is in use again, and not old
    else:
        _appear(path, content)
    return str(path)


def _appear(path: Path, content: bytes) -> None:
    """Write a file atomically; unlike with `ganzoo.atomic`, it need not survive a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{threading.get_ident()}-{path.name}")
    draft.write_bytes(content)
    draft.replace(path)


def png(image: Image.Image) -> str:
    content = io.BytesIO()
    image.save(content, "PNG", compress_level=1)
    return keep(content.getvalue(), ".png")


def sheet(images: Any, columns: int | None = None, width: int = WIDTH) -> Image.Image:
    """Images (n, c, h, w) in [0, 1] on one sheet, enlarged for display.

    The space between them has the colour of their borders: black for digits, white for drawings.
    """
    tiles = pictures.sheet(images, columns=columns, scale=1, gap=1, background=_ground(images))
    return enlarged(tiles, width)


def each(images: np.ndarray) -> list[str]:
    """Images (n, c, h, w) in [0, 1] as single files, in their original size."""
    pixels = pictures.to_uint8(images)
    return [png(Image.fromarray(one[..., 0] if one.shape[-1] == 1 else one)) for one in pixels]


def enlarged(image: Image.Image, width: int = WIDTH) -> Image.Image:
    """The picture enlarged by an integer factor, smoothly, so that pixels do not show."""
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
