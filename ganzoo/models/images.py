"""Pictures and arrays to the tensors of networks, and back."""

from __future__ import annotations

from collections.abc import Mapping
from io import IOBase
from pathlib import Path
from reprlib import repr as shortened
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from ganzoo.data.arrays import TAKEN, is_array, plain_array
from ganzoo.data.decoding import Preprocessing, values
from ganzoo.data.layouts import channels_last, layout
from ganzoo.errors import DataError, PictureError, TaskError
from ganzoo.spec.draws import Image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    Images = list[Picture] | np.ndarray | Tensor
    """The types that `Output` names."""

Output = Literal["pil", "np", "pt"]
"""PIL images, float32 (n, h, w, c) or tensors (n, c, h, w); both in [0, 1]."""

DEFAULT = Preprocessing()


def image_tensor(images: Any, draw: Image, preprocessing: Preprocessing = DEFAULT) -> Tensor:
    """User images as the networks take them: float32 (n, c, h, w) in [-1, 1].

    Args:
        images: a path, a PIL image, an array or tensor, or a sequence of any of these. Arrays
            are uint8 in [0, 255], uint16 in [0, 65535] or float in [0, 1], and of shape (h, w),
            (n, h, w), (h, w, c), (c, h, w), (n, h, w, c) or (n, c, h, w); four channels have
            alpha last. `ganzoo.data.layouts.layout` says how axes are told apart.
        draw: the draw that the model takes.
        preprocessing: how pictures of another size or with other colours are converted.

    Raises:
        TaskError: not images, or not images that the model takes.
    """
    try:
        found = _pixels(images, draw.shape, preprocessing)
    except PictureError as error:
        raise TaskError(f"cannot read the image {error.file!r}: {error.reason}") from None
    except DataError as error:
        raise TaskError(str(error)) from None
    tensor = torch.from_numpy(np.require(found, requirements=["C", "W"]))
    tensor = tensor.float() / 255 if tensor.dtype == torch.uint8 else tensor
    return tensor.mul(2).sub(1)


def _pixels(images: Any, shape: tuple[int, int, int], preprocessing: Preprocessing) -> np.ndarray:
    """Images of any kind as uint8 in [0, 255] or float32 in [0, 1], (n, c, h, w)."""
    from PIL import Image as pil

    if isinstance(images, str | Path):
        return preprocessing.file(Path(images), shape)[None]
    if isinstance(images, pil.Image):
        try:
            return preprocessing.pixels(images, shape)[None]
        except (ValueError, OSError) as error:
            # it was closed, or has a mode that Pillow cannot convert
            raise DataError(f"a PIL image of mode {images.mode!r}: {error}") from None
    if is_array(images):
        array = plain_array(images)
        name = layout(array.shape, shape, channels_first=isinstance(images, Tensor))
        return preprocessing.arrays(values(channels_last(array, name)), shape)
    try:
        items = [] if isinstance(images, bytes | bytearray | Mapping | IOBase) else list(images)
    except TypeError:
        items = []
    if not items or any(isinstance(item, int | float) for item in items):
        encoded = isinstance(images, bytes | bytearray | IOBase)
        hint = "; of an open file take PIL.Image.open(file)" if encoded else ""
        raise DataError(
            f"no images in {type(images).__name__} {shortened(images)}; give {TAKEN}, or a list of "
            f"such{hint}"
        )
    parts = [_pixels(item, shape, preprocessing) for item in items]
    if len({part.dtype for part in parts}) > 1:
        parts = [part / np.float32(255) if part.dtype == np.uint8 else part for part in parts]
    return np.concatenate(parts)


def pil_images(array: np.ndarray) -> list[Picture]:
    """PIL images of floats (n, h, w, c) in [0, 1]; c is 1, 3 or 4."""
    from PIL import Image as pil

    levels = (array * 255).round().astype(np.uint8)
    return [pil.fromarray(level[:, :, 0] if level.shape[2] == 1 else level) for level in levels]


def image_output(images: Tensor, output: Output) -> Images:
    """Images in [-1, 1] as `output` says; values outside are clipped."""
    images = images.add(1).div(2).clamp(0, 1).cpu()
    if output == "pt":
        return images
    array = images.permute(0, 2, 3, 1).contiguous().numpy()
    if output == "np":
        return array
    if output != "pil":
        raise TaskError(f"output is 'pil', 'np' or 'pt', not {output!r}")
    return pil_images(array)
