"""Which axis of an array of images is which, read off its shape. No torch.

A layout is written with a letter for each axis: n samples, c channels, h height, w width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ganzoo.errors import DataError

if TYPE_CHECKING:
    import numpy as np

_TAKEN = "(h, w), (n, h, w), (h, w, c), (c, h, w), (n, h, w, c) or (n, c, h, w)"


def layout(
    shape: Sequence[int], wanted: tuple[int, int, int], *, channels_first: bool = False
) -> str:
    """The layout of images that are given to a model: hw, nhw, hwc, chw, nchw or nhwc.

    A shape that fits what the model takes decides. Otherwise an axis of 1, 3 or 4 is the
    channels; three axes without one are grey pictures, (n, h, w).

    Args:
        wanted: what the model takes, (channels, height, width).
        channels_first: what is usual for this kind of array, where both would do.

    Raises:
        DataError: no layout has such a shape, or it may be several grey pictures as well as one
            in colour.
    """
    shape = tuple(shape)
    if not 2 <= len(shape) <= 4 or 0 in shape:
        raise DataError(f"images are {_TAKEN}, not {shape}")
    if len(shape) == 2:
        return "hw"
    first, last = ("chw", "hwc") if len(shape) == 3 else ("nchw", "nhwc")
    ordered = (first, last) if channels_first else (last, first)
    exact = [name for name in ordered if _image(name, shape) == wanted]
    if exact or len(shape) == 4:
        return exact[0] if exact else several(shape)
    if shape[2] <= 4 and _image("nhw", shape) != wanted:
        # no picture is so narrow
        return ordered[0] if shape[0] in (1, 3, 4) and wanted[0] != 1 else "hwc"
    if shape[0] in (3, 4) and shape[2] > 4:
        if wanted[0] != 1:
            return "chw"
        raise DataError(
            f"images of shape {shape} may be {shape[0]} grey pictures (n, h, w) or one in colour "
            f"(c, h, w); give them as (n, c, h, w): {(shape[0], 1, *shape[1:])} or {(1, *shape)}"
        )
    return "nhw"


def several(shape: Sequence[int]) -> str:
    """The layout of many images of which nothing else is known: nhw, nchw or nhwc.

    The channels are the axis that has 1 or 3, or else 4 or 2; the second axis before the last.

    Raises:
        DataError: it is none of these.
    """
    shape = tuple(shape)
    # pictures one or three pixels wide are one picture with its channels last
    if len(shape) == 3 and shape[2] not in (1, 3):
        return "nhw"
    if len(shape) == 4:
        for counts in ((1, 3), (4, 2)):
            for axis, name in ((1, "nchw"), (3, "nhwc")):
                if shape[axis] in counts:
                    return name
    raise DataError(
        "images are (samples, channels, height, width), (samples, height, width, channels) or "
        f"grey (samples, height, width), not of shape {shape}"
    )


def channels_last(images: np.ndarray, name: str) -> np.ndarray:
    """A view of images of this layout as (n, h, w, c)."""
    match name:
        case "hw":
            return images[None, :, :, None]
        case "nhw":
            return images[..., None]
        case "hwc":
            return images[None]
        case "chw":
            return images.transpose(1, 2, 0)[None]
        case "nchw":
            return images.transpose(0, 2, 3, 1)
        case _:
            return images


def _image(name: str, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Channels, height and width of one image."""
    sizes = dict(zip(name, shape, strict=True))
    return sizes.get("c", 1), sizes["h"], sizes["w"]
