"""A Source of what people have in Python: arrays, paths, a `torch.utils.data.Dataset`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganzoo.data.arrays import is_array, plain_array
from ganzoo.data.decoding import SUFFIXES, Preprocessing, values
from ganzoo.data.guessing import GUESSES, guess
from ganzoo.data.layouts import channels_last, layout, several
from ganzoo.data.source import Source
from ganzoo.errors import DataError
from ganzoo.spec.draws import Image, Label
from ganzoo.spec.variant import Fields


def source(
    data: Any,
    labels: Any = None,
    *,
    name: str = "data",
    names: Sequence[str] = (),
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    preprocessing: Preprocessing | None = None,
    flips: bool = False,
) -> Source:
    """A `Source` of pictures in memory, of files, or of a data set of torch.

    Args:
        data: a Source, which is given back; the name of a data set; an array or tensor of
            images (`Source.from_arrays` says which); paths of picture files; or anything with
            a length whose items are pictures, or pairs of a picture and a class, as those of
            a `torch.utils.data.Dataset` are. A picture is a PIL image, an array or a tensor.
        labels: the class of each, where the items do not have it: numbers, or words.
        names: of the classes, in the order of their numbers.
        size: width and height in pixels, or both; guessed where pictures are of several sizes.
        channels: 1, 3 or 4; guessed in the same way.
        preprocessing: how pictures are made to fit, by default the largest central part.
        flips: training may mirror them.

    Raises:
        DataError: these are no pictures, or no classes of them.
    """
    if isinstance(data, Source):
        return data
    if isinstance(data, str):
        from ganzoo.data.loading import load

        return load(data)
    how = preprocessing or Preprocessing()
    if is_array(data):
        images: Any = _channels_first(name, data)
    else:
        items = _items(name, data)
        if all(isinstance(item, str | Path) for item in items):
            files = [Path(item) for item in items]
            images = _of_files(name, files, _shape(size, channels, guess(_known(name, files))), how)
        else:
            images, own = _of_items(name, items, size, channels, how)
            labels = own if labels is None else labels
    fields: dict[str, Any] = {}
    arrays: dict[str, Any] = {"image": images}
    if labels is not None:
        numbers, names = _classes(name, labels, names)
        arrays["label"] = numbers
        fields["label"] = Label(classes=max(1, len(names) or int(numbers.max()) + 1), names=names)
    fields = {"image": Image(shape=tuple(images.shape[1:])), **fields}
    return Source(name, Fields(name=name, fields=fields), arrays, flips=flips, preprocessing=how)


def _channels_first(name: str, images: Any) -> torch.Tensor:
    """Images (n, c, h, w), of NCHW, NHWC or NHW."""
    found = torch.tensor(np.ascontiguousarray(plain_array(images)))
    try:
        which = several(found.shape)
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    if which == "nhw":
        return found[:, None]
    return found.movedim(3, 1).contiguous() if which == "nhwc" else found


def _items(name: str, data: Any) -> list[Any]:
    """The items of a sequence or of a data set of torch, in order."""
    try:
        count = len(data)
    except TypeError:
        raise DataError(
            f"{name}: {type(data).__name__} has no length; give an array, paths, a Source, or a "
            "data set with __len__ and __getitem__"
        ) from None
    kind = type(data).__name__
    if isinstance(data, Mapping) or not count:
        what = "is empty" if not count else "is a mapping"
        raise DataError(f"{name}: {kind} {what}; give pictures, or paths of them")
    return [data[index] for index in range(count)]


def _known(name: str, files: Sequence[Path]) -> Sequence[Path]:
    """The same files; DataError where one cannot be a picture by its ending."""
    odd = next((file for file in files if file.suffix.lower() not in SUFFIXES), None)
    if odd is not None:
        raise DataError(f"{name}: {str(odd)!r} has an ending that no picture file has")
    return files


def _of_files(
    name: str, files: Sequence[Path], shape: tuple[int, int, int], how: Preprocessing
) -> np.ndarray:
    made = np.empty((len(files), *shape), np.uint8)
    for row, file in enumerate(files):
        made[row] = how.file(file, shape)
    return made


def _of_items(
    name: str,
    items: Sequence[Any],
    size: int | tuple[int, int] | None,
    channels: int | None,
    how: Preprocessing,
) -> tuple[np.ndarray, list[Any] | None]:
    """The pictures of items, uint8 (n, c, h, w), and their classes where they have some."""
    pairs = [isinstance(item, tuple | list) and _length(item) == 2 for item in items]
    if any(pairs) != all(pairs):
        raise DataError(f"{name}: some items have a class and some have none")
    pictures = [item[0] if pair else item for item, pair in zip(items, pairs, strict=True)]
    labels = [item[1] for item in items] if all(pairs) else None
    sizes = [_size(name, picture) for picture in pictures]
    one = sizes[0] if len(set(sizes)) == 1 else None
    guessed: dict[str, Any] = {"size": one and one[1:], "channels": max(s[0] for s in sizes)}
    if one is None:
        smallest = sorted(min(side[1:]) for side in sizes)[len(sizes) // 2]
        side = max((known for known in GUESSES if known <= smallest), default=GUESSES[0])
        guessed["size"] = (side, side)
    shape = _shape(size, channels, guessed)
    made = np.empty((len(pictures), *shape), np.uint8)
    for row, picture in enumerate(pictures):
        made[row] = _pixels(name, picture, shape, how)
    return made, labels


def _length(item: Any) -> int:
    return len(item)


def _size(name: str, picture: Any) -> tuple[int, int, int]:
    """Channels, width and height of one picture."""
    if hasattr(picture, "getbands"):
        bands = len(picture.getbands())
        width, height = picture.size
        return 1 if bands == 1 and picture.mode != "P" else 3 if bands < 4 else 4, width, height
    if not isinstance(picture, np.ndarray | torch.Tensor):
        raise DataError(f"{name}: an item is {type(picture).__name__}, which is not a picture")
    last = channels_last(_array(picture), _layout(picture))
    return last.shape[3], last.shape[2], last.shape[1]


def _array(picture: Any) -> np.ndarray:
    return plain_array(picture)


def _layout(picture: Any) -> str:
    first = isinstance(picture, torch.Tensor)
    shape = tuple(picture.shape)
    if len(shape) == 2:
        return "hw"
    if len(shape) == 3:
        at = (0, 2) if first else (2, 0)
        axis = next((axis for axis in at if shape[axis] in (1, 3, 4)), None)
        if axis is not None:
            return "chw" if axis == 0 else "hwc"
    return layout(shape, (3, *shape[-2:]), channels_first=first)


def _pixels(name: str, picture: Any, shape: tuple[int, int, int], how: Preprocessing) -> np.ndarray:
    if hasattr(picture, "getbands"):
        return how.pixels(picture, shape)
    found = how.arrays(values(channels_last(_array(picture), _layout(picture))), shape)
    if len(found) != 1:
        raise DataError(f"{name}: an item holds {len(found)} pictures")
    return found[0] if found.dtype == np.uint8 else (found[0] * 255).round().astype(np.uint8)


def _shape(
    size: int | tuple[int, int] | None, channels: int | None, guessed: Mapping[str, Any]
) -> tuple[int, int, int]:
    width, height = (size, size) if isinstance(size, int) else size or guessed["size"]
    return channels or guessed["channels"], height, width


def _classes(name: str, labels: Any, names: Sequence[str]) -> tuple[torch.Tensor, tuple[str, ...]]:
    """Class numbers, int64 (n,), of numbers or words, with the names of the classes."""
    found = labels.numpy(force=True) if isinstance(labels, torch.Tensor) else np.asarray(labels)
    if found.dtype.kind in "UO" and all(isinstance(one, str) for one in found.tolist()):
        names = tuple(names) or tuple(sorted(set(found.tolist())))
        places = {word: number for number, word in enumerate(names)}
        unknown = next((one for one in found.tolist() if one not in places), None)
        if unknown is not None:
            raise DataError(f"{name}: the class {unknown!r} is not among the names")
        found = np.array([places[one] for one in found.tolist()])
    if found.ndim != 1 or found.dtype.kind not in "iub" or not len(found) or found.min() < 0:
        raise DataError(f"{name}: classes are whole numbers from 0, or words; one for each picture")
    if names and found.max() >= len(names):
        raise DataError(f"{name}: class {found.max()} has no name; there are {len(names)} names")
    return torch.tensor(found.astype(np.int64)), tuple(names)
