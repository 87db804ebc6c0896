"""Size and channels of pictures, where a data set of them leaves these open. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from ganzoo.data.decoding import opened, turned_size, upright
from ganzoo.errors import PictureError

if TYPE_CHECKING:
    from PIL.Image import Image

GUESSES = (16, 28, 32, 48, 64)
"""Sides that are taken where none is asked for; larger ones cost much time to train."""
LOOKED_AT = 48
"""Pictures that are opened to guess what a folder holds."""


def guess(files: Sequence[Path]) -> dict[str, Any]:
    """Size and channels that suit pictures like these, from a few dozen of them.

    One channel where all are grey, else three; the largest of `GUESSES` that enlarges less
    than half of them.

    Raises:
        PictureError: none of those can be read.
    """
    looked_at = files[:: -(-len(files) // LOOKED_AT)]
    grey, sides, unread = True, list[int](), list[PictureError]()
    for file in looked_at:
        try:
            with opened(file) as image:
                side = min(turned_size(image))
                image.draft(None, (256, 256))
                grey = grey and _is_grey(image)
                sides.append(side)
        except PictureError as error:
            unread.append(error)
    if not sides:
        raise unread[0]
    side = max((size for size in GUESSES if size <= median(sides)), default=GUESSES[0])
    return {"size": (side, side), "channels": 1 if grey else 3}


def _is_grey(image: Image) -> bool:
    """Whether red, green and blue are the same everywhere, in whatever mode it was saved."""
    red, green, blue = upright(image, 3).split()
    return red.tobytes() == green.tobytes() == blue.tobytes()
