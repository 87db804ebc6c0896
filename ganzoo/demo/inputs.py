"""Checks of all inputs on the server; nothing that is sent is trusted.

The limits of sliders and menus in the browser are a convenience; the limits here apply to all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganzoo.data.decoding import opened
from ganzoo.errors import DataError, PictureError, TaskError, choices
from ganzoo.models.model import Model
from ganzoo.spec.draws import Image, Label

MOST_PIXELS = 25_000_000
"""The most pixels of a picture; larger ones are refused before they are decoded."""
MOST_PIXELS_TOGETHER = 60_000_000
"""The most pixels of all pictures of one request, which blocks a worker while it decodes them."""
MOST_LETTERS = 500
"""The most characters of a sentence."""
MOST_FILES = 100
"""The most pictures that are scored at once."""
LARGEST_SEED = 2**31 - 1


def whole(word: str, value: Any, least: int, most: int) -> int:
    """A whole number within bounds, or a TaskError that names them."""
    number = _number(value)
    if number is None or number != int(number) or not least <= number <= most:
        raise TaskError(f"{word} is a whole number from {least:,} to {most:,}, not {_said(value)}")
    return int(number)


def number(word: str, value: Any, least: float, most: float) -> float:
    """A number within bounds, or a TaskError that names them."""
    found = _number(value)
    if found is None or not least <= found <= most:
        raise TaskError(f"{word} is a number from {least:g} to {most:g}, not {_said(value)}")
    return found


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def seed(value: Any, word: str = "seed") -> int:
    return whole(word, value, 0, LARGEST_SEED)


def sentence(value: Any) -> str:
    """A sentence to draw, with normalized white space."""
    if not isinstance(value, str):
        raise TaskError(f"text is a sentence, not {_said(value)}")
    if len(value) > MOST_LETTERS:
        raise TaskError(
            f"a text of {len(value):,} characters; at most {MOST_LETTERS} are allowed. One "
            "sentence that describes the picture works best"
        )
    said = " ".join("".join(c if c.isprintable() else " " for c in value).split())
    if not said:
        raise TaskError("the text is empty; say what to draw, such as: a red apple")
    return said


def label(draw: Label, value: Any) -> int | None:
    """The class of a number or a name; None for "" (each in turn)."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and value in draw.names:
        return draw.names.index(value)
    digits = isinstance(value, str) and len(value) < 10 and value.isascii() and value.isdigit()
    found = _number(int(value) if digits else value)
    if found is None or found != int(found) or not 0 <= found < draw.classes:
        names = f" or one of {choices(draw.names)}" if draw.names else ""
        raise TaskError(
            f"label is a class from 0 to {draw.classes - 1}{names}, or empty for each in turn, "
            f"not {_said(value)}"
        )
    return int(found)


def one_of(word: str, value: Any, allowed: Sequence[str]) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise TaskError(f"{word} is one of {choices(allowed)}, not {_said(value)}")
    return value


class Work:
    """The number of pixels that may still be decoded for a request."""

    def __init__(self, pixels: int = MOST_PIXELS_TOGETHER) -> None:
        self.most = self.left = pixels

    def take(self, pixels: int) -> None:
        """Count a picture; DataError if the limit is exceeded."""
        if pixels > self.left:
            raise DataError(
                f"{pixels:,} pixels; all pictures of one request have at most "
                f"{self.most // 1_000_000} million together. Send it alone, or reduce its size"
            )
        self.left -= pixels


def seen(
    model: Model, draw: Image, path: Any, what: str = "picture", work: Work | None = None
) -> Tensor:
    """The picture in an uploaded file as a model sees it: float32 (1, c, h, w) in [0, 1].

    Args:
        draw: the image draw of the model's Spec. what: its name in error messages.
        work: the remaining pixels of the request; by default those of one picture.

    Raises:
        DataError: there is no file, it is not a picture, or it is too large.
    """
    if path is None or path == "":
        raise DataError(f"no {what}; upload one, or take an example")
    if not isinstance(path, str | Path):
        raise DataError(f"the {what} is a file, not {_said(path)}")
    file = Path(path)
    try:
        with opened(file) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise DataError(
                    f"{width:,} x {height:,} pixels; at most {MOST_PIXELS // 1_000_000} million "
                    "are allowed. Reduce its size"
                )
            if max(width, height) > 200 * min(width, height):
                raise DataError(f"{width:,} x {height:,} pixels: the picture is too narrow")
            if work is not None:
                work.take(width * height)
            pixels = model.preprocessing.decoded(image, draw.shape)
    except PictureError as error:
        # the path on the server is private
        raise DataError(f"the {what} {file.name!r} cannot be read ({error.reason})") from None
    return torch.from_numpy(np.ascontiguousarray(pixels)).float()[None] / 255


def _said(value: Any) -> str:
    """The value as it was sent, truncated."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
