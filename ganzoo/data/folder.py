"""A folder of pictures as a data set: which files, at what size, and their pixels. No torch.

    folder:PATH[,size=64][,channels=3][,flip]

Pictures are found in all subfolders, turned upright, cropped to their central square
and resized. They are decoded once, into a file that later runs map into memory.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from ganzoo.errors import DataError, choices, nearest

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

FORM = "folder:PATH[,size=64][,channels=3][,flip]"
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif"})
SIZES = (16, 28, 32, 48, 64, 96, 128)
"""Sides in pixels that are guessed where none is asked for; up to `LARGEST_GUESS`."""
LARGEST_GUESS = 64
CHANNELS = (1, 3, 4)
LOOKED_AT = 48
"""Pictures that are opened to guess what a folder holds."""
_WITH_OPTION = r"(.*),(flip|[a-z]+=[\w.+-]*)"
DECODER = 1
"""Part of the name of decoded files: raise it when decoding changes."""


def cache_dir() -> Path:
    """Where ganzoo keeps what it can get or make again: `$XDG_CACHE_HOME/ganzoo`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ganzoo"


@dataclass(frozen=True)
class Folder:
    """Pictures in a folder, and the shape that they get: `channels` x `size` x `size`."""

    path: Path
    files: tuple[Path, ...]
    size: int
    channels: int
    flip: bool = False

    @classmethod
    def parse(cls, name: str) -> Folder:
        """The folder that `folder:PATH,options` names; what is not given is guessed by looking.

        Raises:
            DataError: an option is not allowed, the folder is missing or has no pictures,
                or one of those looked at cannot be read.
        """
        path, options = _split(name)
        files = pictures_in(path)
        if "size" not in options or "channels" not in options:
            options = {**guess(files), **options}
        return cls(path, files, **options)

    def pixels(self) -> np.ndarray:
        """All pictures, uint8 (pictures, channels, size, size), mapped from the decoded file.

        The first call decodes; the file appears whole or not at all, so that several
        processes may call this at the same time.

        Raises:
            DataError: a picture cannot be read, or the decoded file cannot be written.
        """
        import numpy as np

        decoded = cache_dir() / "decoded" / f"{self.path.name}-{self._key()}.npy"
        if not decoded.exists():
            shape = (len(self.files), self.channels, self.size, self.size)
            try:
                with _appearing_whole(decoded) as out:
                    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(out, header)
                    for picture in self._decode():
                        out.write(picture.tobytes())
            except OSError as error:
                raise DataError(
                    f"the pictures of {str(self.path)!r} cannot be kept decoded in "
                    f"{str(decoded.parent)!r} ({error.strerror or error}); point XDG_CACHE_HOME "
                    f"at a folder with {np.prod(shape) / 2**20:,.0f} MiB to spare"
                ) from None
        return np.load(decoded, mmap_mode="r")

    def _key(self) -> str:
        """Changes with the files (names, sizes, times) and with what is made of them."""
        seen = hashlib.sha256(
            repr((DECODER, str(self.path.resolve()), self.size, self.channels)).encode()
        )
        for file in self.files:
            stat = file.stat()
            relative = file.relative_to(self.path).as_posix()
            seen.update(repr((relative, stat.st_size, stat.st_mtime_ns)).encode())
        return seen.hexdigest()[:16]

    def _decode(self) -> Iterator[np.ndarray]:
        """The pictures in order, decoded by as many threads as there are processors."""
        from rich.console import Console
        from rich.progress import track

        # in chunks, as map() would queue a future for every picture at once
        chunks = [self.files[start : start + 256] for start in range(0, len(self.files), 256)]
        shown: Iterable[tuple[Path, ...]] = (
            track(
                chunks, f"decoding {self.path.name}", console=Console(stderr=True), transient=True
            )
            if len(chunks) > 1
            else chunks
        )
        with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as threads:
            for chunk in shown:
                yield from threads.map(lambda file: decode(file, self.size, self.channels), chunk)


def pictures_in(path: Path) -> tuple[Path, ...]:
    """The picture files below `path`, sorted; hidden ones (`._photo.jpg`) are left out."""
    if not path.is_dir():
        raise DataError(f"there is no folder {str(path)!r}; a folder is named {FORM}")
    files = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
    )
    if not files:
        raise DataError(
            f"no pictures in {str(path)!r}; files with these endings are read: {choices(SUFFIXES)}"
        )
    return tuple(files)


def guess(files: tuple[Path, ...]) -> dict[str, int]:
    """Size and channels that suit pictures like these, from a few dozen of them.

    One channel where all are grey, else three; the largest of `SIZES`, at most
    `LARGEST_GUESS`, that enlarges less than half of them.
    """
    looked_at = files[:: -(-len(files) // LOOKED_AT)]
    grey, sides = True, list[int]()
    for file in looked_at:
        with opened(file) as image:
            sides.append(min(image.size))
            grey = grey and _is_grey(image)
    fitting = [size for size in SIZES if size <= min(median(sides), LARGEST_GUESS)]
    return {"size": max(fitting, default=SIZES[0]), "channels": 1 if grey else 3}


def decode(file: Path, size: int, channels: int) -> np.ndarray:
    """One picture as uint8 (channels, size, size): the central square, resized.

    What is transparent lies on white, unless four channels keep the transparency.
    """
    import numpy as np
    from PIL import Image, ImageOps

    with opened(file) as image:
        # a JPEG can be read at a fraction of its size, still twice what is needed
        image.draft(None, (2 * size, 2 * size))
        square = ImageOps.fit(upright(image, channels), (size, size), Image.Resampling.LANCZOS)
        return np.asarray(square).reshape(size, size, channels).transpose(2, 0, 1)


@contextmanager
def opened(file: Path) -> Iterator[Image]:
    """The picture in `file`; whatever goes wrong with it is a DataError that names the file."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            yield image
    # Pillow's decoders raise these for broken files
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        reason = "no picture" if isinstance(error, Image.UnidentifiedImageError) else error
        raise DataError(
            f"the picture {str(file)!r} cannot be read ({reason}); repair or remove it"
        ) from None


def upright(image: Image, channels: int) -> Image:
    """The picture as it was meant to be seen, in 1, 3 or 4 channels of 8 bits.

    It is turned as its EXIF data say; what is transparent lies on white, unless four channels
    keep the transparency.
    """
    from PIL import Image as Images
    from PIL import ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        # Pillow would cut sixteen bits off at 255, and leave a white picture
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if channels == 4:
        return image.convert("RGBA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Images.alpha_composite(Images.new("RGBA", image.size, "white"), image)
    return image.convert("L" if channels == 1 else "RGB")


def _is_grey(image: Image) -> bool:
    """Whether red, green and blue are the same everywhere, in whatever mode it was saved."""
    red, green, blue = upright(image, 3).split()
    return red.tobytes() == green.tobytes() == blue.tobytes()


def _split(name: str) -> tuple[Path, dict[str, Any]]:
    """Path and options. Commas are fine in a path: only what looks like an option is one."""
    path, options = name.removeprefix("folder:"), dict[str, Any]()
    while match := re.fullmatch(_WITH_OPTION, path):
        path, option = match.groups()
        key, _, value = option.partition("=")
        if key in options:
            raise DataError(f"{name!r} says {key!r} twice")
        options[key] = _option(name, key, value)
    if not path:
        raise DataError(f"{name!r} names no folder; a folder is named {FORM}")
    return Path(path).expanduser(), options


def absolute(name: str) -> str:
    """The name of a data set, which means the same from every working directory.

    `folder:photos,size=64` becomes `folder:/home/me/photos,size=64`; all others stay.
    """
    if not name.startswith("folder:"):
        return name
    given = name.removeprefix("folder:")
    while match := re.fullmatch(_WITH_OPTION, given):
        given = match[1]
    options = name.removeprefix(f"folder:{given}")
    return f"folder:{Path(given).expanduser().absolute()}{options}" if given else name


def _option(name: str, key: str, value: str) -> int | bool:
    allowed = {"size": range(SIZES[0], SIZES[-1] + 1), "channels": CHANNELS, "flip": ()}
    if key not in allowed:
        raise DataError(
            f"{name!r}: no option {key!r}{nearest(key, allowed)} allowed: {choices(allowed)}"
        )
    if key == "flip":
        if value:
            raise DataError(f"{name!r}: flip takes no value; leave it out for no flips")
        return True
    if not (value.isascii() and value.isdigit() and int(value) in allowed[key]):
        words = "16 to 128" if key == "size" else "1, 3 or 4"
        raise DataError(f"{name!r}: {key} must be {words}, not {value!r}")
    return int(value)


@contextmanager
def _appearing_whole(path: Path) -> Iterator[Any]:
    """A binary file to write, which takes its name only once all is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as out:
        try:
            yield out
            out.close()
            Path(out.name).replace(path)
        except BaseException:
            Path(out.name).unlink(missing_ok=True)
            raise
