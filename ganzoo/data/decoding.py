"""From user pictures to pixels, for training and for inference alike. No torch.

Files, PIL images and arrays all pass through a `Preprocessing`, which says how a picture is
converted. A data set has one, and a model keeps the one of its data, so that a picture looks to a
model as it would have looked in training. Pixels are 8 bits, except for float arrays, which stay
float.

Values, by what holds them:

    8 bits                           as they are
    uint16; PIL modes I;16, I;16B    0 to 65,535 (a 16-bit PNG or TIFF)
    PIL mode I (32-bit integers)     0 to 65,535; all of them at most 255 is an error, as they
                                     might be 8 bits as well as 16
    float; PIL mode F                0 to 1
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.errors import DataError, PictureError, choices, nearest

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""The formats that Pillow may open. Others are not tried: one of them, EPS, starts a program."""
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
"""Suffixes of the files that are searched for in a folder."""
MOST_PIXELS = 80_000_000
"""The most pixels of a picture; larger ones are refused before they are decoded."""
MOST_BYTES = 2**28
"""The most bytes of a file."""
LARGE = 16_000_000
"""Pixels above which pictures are decoded one at a time, so that threads do not add up."""
TOLERANCE = 1e-3
"""How far float values may leave [0, 1] through interpolation and rounding; they are clipped."""
OPTIONS: dict[str, tuple[str, ...]] = {
    "fit": ("crop", "pad", "stretch"),
    "filter": ("lanczos", "bicubic", "bilinear", "box", "nearest"),
    "background": ("white", "black", "grey"),
}
_GROUND = {"white": 255, "black": 0, "grey": 128}
_CHANNELS = (1, 3, 4)
_LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601, as Pillow's conversion to grey."""
_large = threading.Lock()


@dataclass(frozen=True)
class Preprocessing:
    """How pictures of any size become pictures of one size.

    Args:
        fit: `crop` takes the largest central part of the required proportions, `pad` puts the whole
            picture in the middle of the background, `stretch` distorts it. All three leave a
            picture unchanged that already has the size.
        filter: of resizing; all but `nearest` average over the area where they reduce.
        background: composited under transparent pixels, and around padded pictures. Models with
            four channels keep the transparency, and are padded with transparent pixels.

    Raises:
        DataError: a value is not one of `OPTIONS`.
    """

    fit: str = "crop"
    filter: str = "lanczos"
    background: str = "white"

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            allowed = OPTIONS[name]
            if value not in allowed:
                raise DataError(
                    f"{name} is {value!r}{nearest(str(value), allowed)} allowed: {choices(allowed)}"
                )

    def to_dict(self) -> dict[str, str]:
        return asdict(self)

    # ------------------------------------------------------------------------ pictures

    def file(self, file: Path, shape: tuple[int, int, int]) -> np.ndarray:
        """The pixels of a picture file, as `pixels`.

        Raises:
            PictureError: it cannot be read.
        """
        with opened(file) as image:
            return self.decoded(image, shape)

    def decoded(self, image: Image, shape: tuple[int, int, int]) -> np.ndarray:
        """The pixels of a file that has been `opened`, as `pixels`."""
        with _large if image.width * image.height > LARGE else nullcontext():
            # a JPEG can be read at a fraction of its size, still twice what is needed
            side = 2 * max(shape[1:])
            image.draft(None, (side, side))
            return self.pixels(image, shape)

    def pixels(self, image: Image, shape: tuple[int, int, int]) -> np.ndarray:
        """A PIL image as uint8 of `shape`, (channels, height, width); channels are 1, 3 or 4.

        Raises:
            DataError: the range of its values is unknown (see the top of this module).
        """
        import numpy as np

        channels, height, width = shape
        if channels not in _CHANNELS:
            raise DataError(f"this model takes {channels} channels, not those of a picture")
        level = _GROUND[self.background]
        # padding of a picture that keeps its transparency is transparent
        ground = level if channels == 1 else (level,) * 3 + (0,) * (channels - 3)
        seen = upright(image, channels, self.background)
        fitted = self._fitted(seen, (width, height), ground)
        return np.array(fitted).reshape(height, width, channels).transpose(2, 0, 1)

    def _fitted(self, image: Image, size: tuple[int, int], ground: Any) -> Image:
        """The picture at the size (width, height), in its own mode; `ground` surrounds it."""
        from PIL import Image as Images

        if image.size == size:
            return image
        filter = Images.Resampling[self.filter.upper()]
        if self.fit == "crop":
            return image.resize(size, filter, box=central(image.size, size))
        if self.fit == "stretch":
            return image.resize(size, filter)
        inner = within(image.size, size)
        padded = Images.new(image.mode, size, ground)
        left, top = ((size[axis] - inner[axis]) // 2 for axis in (0, 1))
        padded.paste(image.resize(inner, filter), (left, top))
        return padded

    # -------------------------------------------------------------------------- arrays

    def arrays(self, images: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
        """Arrays of images as arrays of `shape`: (n, channels, height, width).

        uint8 stays uint8, with the values that a file of these pixels would have; floats stay
        float32 in [0, 1], and are not rounded.

        Args:
            images: (n, h, w, c), as `values` gives them; of four channels the last is alpha.

        Raises:
            DataError: these channels cannot be converted to the required ones.
        """
        import numpy as np

        channels, height, width = shape
        given = images.shape[3]
        if given == channels and images.shape[1:3] == (height, width):
            return images.transpose(0, 3, 1, 2)
        if given != channels and (given not in _CHANNELS or channels not in _CHANNELS):
            raise DataError(f"this model takes {channels} channels, not {given}")
        if images.dtype == np.uint8 and given in _CHANNELS:
            return np.stack([self.pixels(_picture(image), shape) for image in images])
        ground = _GROUND[self.background] / 255
        floats = images / 255 if images.dtype == np.uint8 else images
        return np.stack(
            [
                self._floats(coloured(image, channels, ground), (width, height), ground)
                for image in floats.astype(np.float32)
            ]
        )

    def _floats(self, image: np.ndarray, size: tuple[int, int], ground: float) -> np.ndarray:
        """Floats (h, w, c) at the size (width, height): (c, height, width) in [0, 1]."""
        import numpy as np
        from PIL import Image as Images

        if image.shape[1::-1] == size:
            return image.transpose(2, 0, 1)
        clear = image.shape[2] == 4
        if clear:  # colours are weighted by alpha, or transparent ones would bleed
            image = np.concatenate([image[:, :, :3] * image[:, :, 3:], image[:, :, 3:]], 2)
        planes = [
            np.asarray(self._fitted(Images.fromarray(plane), size, 0.0 if clear else ground))
            for plane in np.ascontiguousarray(image.transpose(2, 0, 1))
        ]
        found = np.stack(planes).clip(0, 1)
        if clear:
            cover, colours = found[3:], found[:3]
            colours = np.divide(colours, cover, where=cover > 0, out=np.full_like(colours, ground))
            found = np.concatenate([colours, cover]).clip(0, 1)
        return found


def central(size: tuple[int, int], wanted: tuple[int, int]) -> tuple[float, float, float, float]:
    """The largest central box of a picture with the wanted proportions: left, top, right, bottom.

    In pixels, not always integers; sizes are (width, height).
    """
    (width, height), (columns, rows) = size, wanted
    ratio = columns / rows
    if width / height > ratio:
        width = ratio * height
    elif width / height < ratio:
        height = width / ratio
    left, top = (size[0] - width) * 0.5, (size[1] - height) * 0.5
    return left, top, left + width, top + height


def within(size: tuple[int, int], wanted: tuple[int, int]) -> tuple[int, int]:
    """The largest size of a picture's own proportions within the given one."""
    scale = min(wanted[0] / size[0], wanted[1] / size[1])
    width, height = (max(1, round(side * scale)) for side in size)
    return width, height


def upright(image: Image, channels: int, background: str = "white") -> Image:
    """The picture as it should be seen, in 1, 3 or 4 channels of 8 bits.

    It is rotated as its EXIF data say; transparency is composited on the background, unless four
    channels keep it.

    Raises:
        DataError: the range of its values is unknown (see the top of this module).
    """
    from PIL import ExifTags, ImageOps
    from PIL import Image as Images

    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    if image.mode in ("La", "RGBa"):
        image = image.convert(image.mode.upper())
    if channels == 4:
        return image if image.mode == "RGBA" else image.convert("RGBA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Images.alpha_composite(Images.new("RGBA", image.size, background), image)
    mode = "L" if channels == 1 else "RGB"
    return image if image.mode == mode else image.convert(mode)


def turned_size(image: Image) -> tuple[int, int]:
    """Width and height of a picture after EXIF rotation."""
    from PIL import ExifTags

    width, height = image.size
    lying = image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
    return (height, width) if lying else (width, height)


def _eight_bits(image: Image) -> Image:
    """A grey picture of 16 or 32 bits in 8."""
    import numpy as np
    from PIL import Image as Images

    found = np.asarray(image)
    if image.mode == "I":
        low, high = int(found.min()), int(found.max())
        if low < 0 or high > 65535:
            raise DataError(
                f"its 32-bit values are in [{low:,}, {high:,}], and are read as 16-bit ones, 0 to "
                "65,535; save it with 8 or 16 bits"
            )
        if 0 < high <= 255:
            raise DataError(
                f"its 32-bit values are in [{low}, {high}], which may be meant as 8 or as 16 "
                "bits; save it with 8 or 16 bits"
            )
        found = found.astype(np.uint16)
    found = values(found)
    if found.dtype != np.uint8:
        found = (found * 255).round().astype(np.uint8)
    return Images.fromarray(found)


def values(images: np.ndarray) -> np.ndarray:
    """The values of an array of images as uint8 in [0, 255] or float32 in [0, 1].

    Raises:
        DataError: they are of another type, or floats outside [0, 1].
    """
    import numpy as np

    kind = images.dtype
    if kind == np.uint8:
        return images
    if kind == np.bool_:
        return images.astype(np.uint8) * 255
    if kind.kind == "u" and kind.itemsize == 2:  # in either byte order
        return ((images.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if kind.kind != "f":
        raise DataError(f"images are uint8, uint16 or float in [0, 1], not {kind}")
    found = images.astype(np.float32, copy=False)
    low, high = (float(found.min()), float(found.max())) if found.size else (0.0, 0.0)
    if not -TOLERANCE <= low <= high <= 1 + TOLERANCE:  # NaN is neither
        raise DataError(
            f"the values of images are in [0, 1] (or uint8 from 0 to 255), these in "
            f"[{low:g}, {high:g}]"
        )
    return found if low >= 0 and high <= 1 else found.clip(0, 1)


def coloured(images: np.ndarray, channels: int, background: float = 1.0) -> np.ndarray:
    """Float images (..., c) in [0, 1] with 1, 3 or 4 channels.

    As `upright`, unrounded: alpha is composited on the background, grey is the luma of colours.
    """
    import numpy as np

    given = images.shape[-1]
    if given == channels:
        return images
    if channels == 4:
        alpha = np.ones_like(images[..., :1])
        return np.concatenate([coloured(images, 3), alpha], -1)
    if given == 4:
        alpha = images[..., 3:]
        images = images[..., :3] * alpha + background * (1 - alpha)
    if channels == 1 and images.shape[-1] == 3:
        return images @ np.asarray(_LUMA, images.dtype)[:, None]
    if channels == 3 and images.shape[-1] == 1:
        return np.broadcast_to(images, (*images.shape[:-1], 3))
    return images


def _picture(image: np.ndarray) -> Image:
    """A PIL image of uint8 (h, w, c)."""
    from PIL import Image as Images

    return Images.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)


# ------------------------------------------------------------------------------------ files


def content(file: Path) -> bytes:
    """The bytes of a picture file.

    Raises:
        PictureError: not a regular file, too large, or cannot be read.
    """
    try:
        if not file.is_file():  # a pipe or a device would be waited for
            raise PictureError(file, "no such file" if not file.exists() else "no regular file")
        size = file.stat().st_size
        if size > MOST_BYTES:
            raise PictureError(file, f"{size:,} bytes; at most {MOST_BYTES:,} are read")
        return file.read_bytes()
    except (OSError, ValueError) as error:
        raise PictureError(file, getattr(error, "strerror", None) or error) from None


@contextmanager
def opened(file: Path, known: bytes | None = None) -> Iterator[Image]:
    """The picture in `file`, of which nothing but the head is decoded yet.

    Args:
        known: the bytes of the file, where they have been read.

    Raises:
        PictureError: it cannot be read, or what is done with it in the block goes wrong.
    """
    from PIL import Image as Images

    try:
        with Images.open(io.BytesIO(known or content(file)), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise DataError(
                    f"{image.width:,} x {image.height:,} pixels; at most "
                    f"{MOST_PIXELS // 1_000_000} million are read"
                )
            yield image
    except PictureError:
        raise
    except Images.UnidentifiedImageError:
        raise PictureError(file, "no picture") from None
    # a damaged file may raise anything inside of Pillow
    except Exception as error:
        raise PictureError(file, error or type(error).__name__) from None
