"""A loaded data set: batches of its fields, ready on the device."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from typing import Any, Self, cast

import numpy as np
import torch
from torch import Tensor

from ganzoo.data.arrays import plain_array
from ganzoo.data.decoding import TOLERANCE, Preprocessing, values
from ganzoo.data.layouts import several
from ganzoo.data.mapped import forget, taken
from ganzoo.data.splits import content_key
from ganzoo.errors import DataError, choices
from ganzoo.spec.draws import Image, Label, Text, Vector, tensor_shape
from ganzoo.spec.variant import Fields
from ganzoo.workers import workers

_HASHED_AT_ONCE = 2**24
"""Bytes."""
DEFAULT = Preprocessing()


class Source:
    """A loaded data set.

    Images are kept as bytes and become numbers in [-1, 1] batch by batch: on the device, or, if an
    array is mapped from a file (`numpy.memmap`), read from there each time.

    Args:
        name: the one for `ganzoo.data.load`; any word for tensors of your own.
        fields: its contents.
        arrays: a tensor or NumPy array for each field, one sample a row: images uint8 in
            [0, 255] or float in [0, 1], (samples, channels, height, width); labels integers
            (samples,); texts and vectors float (samples, size).
        flips: images may be mirrored, left to right, by `batch(..., flip=...)`.
        value_range: the range of float images, instead of [0, 1], such as (-1, 1).
        preprocessing: how pictures of any size were converted; models that learn from them do the
            same to the pictures that they are given.
        keys: returns a hash of where each sample comes from, uint64 (samples,), by which it is
            divided into splits; by default a hash of its values.
        report: lines that say what was read and skipped.

    Fields of one length belong together row by row; only `independent` ones may differ in length.

    Raises:
        DataError: arrays and fields do not agree.
    """

    def __init__(
        self,
        name: str,
        fields: Fields,
        arrays: Mapping[str, Any],
        *,
        flips: bool = False,
        value_range: tuple[float, float] = (0.0, 1.0),
        preprocessing: Preprocessing = DEFAULT,
        keys: Callable[[], np.ndarray] | None = None,
        report: Sequence[str] = (),
    ) -> None:
        if set(arrays) != set(fields.fields):
            raise DataError(
                f"data set {name!r} declares the fields {choices(fields.fields)} "
                f"and brings {choices(arrays)}"
            )
        self.name = name
        self.fields = fields
        self.flips = flips
        self.preprocessing = preprocessing
        self._report, self._keys = tuple(report), keys
        self.device = torch.device("cpu")
        self._rows: Tensor | None = None
        self._arrays: dict[str, Tensor | np.memmap] = {
            field: _checked(f"{name}.{field}", draw, arrays[field], value_range)
            for field, draw in fields.fields.items()
        }
        paired = {
            field: self.length(field) for field, d in fields.fields.items() if not d.independent
        }
        if len(set(paired.values())) > 1:
            raise DataError(
                f"data set {name!r}: fields that belong together differ in length: "
                f"{', '.join(f'{field} {length:,}' for field, length in paired.items())}; "
                "unpaired ones are declared independent=True"
            )
        self._length = max(paired.values() or map(self.length, fields.fields))

    @classmethod
    def from_arrays(
        cls,
        name: str,
        images: Any,
        labels: Any = None,
        *,
        classes: int = 0,
        flips: bool = False,
        value_range: tuple[float, float] = (0.0, 1.0),
    ) -> Self:
        """Images of your own, with or without classes; the fields are inferred.

        Args:
            name: any word.
            images: uint8 in [0, 255] or float in [0, 1]; NCHW, NHWC, or NHW for grey ones.
            labels: integers (samples,). classes: how many there are; by default one more than the
                highest label.
            flips: images may be mirrored.
            value_range: the range of float images, instead of [0, 1], such as (-1, 1).

        Raises:
            DataError: the arrays are not images or labels.
        """
        images = _channels_first(name, _tensor(images))
        fields: dict[str, Any] = {"image": Image(shape=tuple(images.shape[1:]))}
        arrays: dict[str, Any] = {"image": images}
        if labels is not None:
            labels = _tensor(labels)
            # torch hardly calculates with unsigned numbers
            arrays["label"] = labels = labels if labels.is_floating_point() else labels.long()
            classes = classes or (int(labels.max()) + 1 if labels.numel() else 1)
            fields["label"] = Label(classes=max(1, classes))
        named = Fields(name=name, fields=fields)
        return cls(name, named, arrays, flips=flips, value_range=value_range)

    def __len__(self) -> int:
        """The number of samples; if all fields are independent, of the longest one."""
        return self._length

    def __repr__(self) -> str:
        fields = ", ".join(
            f"{field}: {draw.kind} {'x'.join(map(str, tensor_shape(draw)))}".rstrip()
            for field, draw in self.fields.fields.items()
        )
        return f"<Source {self.name!r}: {len(self):,} samples of {fields}>"

    @property
    def report(self) -> str:
        """What was read, how it was converted and what was skipped: lines to print and log."""
        held = repr(self)[len("<Source ") : -1]
        return "\n".join(self._report or (held,))

    @property
    def named_keys(self) -> bool:
        """Whether its samples were divided by hashes of their origin, as files are."""
        return self._keys is not None

    def keys(self) -> np.ndarray:
        """A hash of each sample, uint64 (samples,), that decides its split.

        Of the file that it comes from, else of its image or other paired fields, in that order.
        """
        if self._keys is not None:
            found = self._keys()
            return found if self._rows is None else found[self._rows.numpy()]
        paired = [field for field, draw in self.fields.fields.items() if not draw.independent]
        paired.sort(key=lambda field: not isinstance(self.fields[field], Image))
        found = np.empty(len(self), np.uint64)
        for first in range(0, len(self), 1024):
            part = torch.arange(first, min(first + 1024, len(self)))
            held: Any = (self.batch(paired[0], part) if paired else part).numpy(force=True)
            found[first : first + len(part)] = [content_key(sample.tobytes()) for sample in held]
        return found

    def length(self, field: str) -> int:
        """The number of samples of one field."""
        array = self._array(field)
        rows = self._chosen(field)
        return len(array) if rows is None else len(rows)

    @property
    def nbytes(self) -> int:
        """Bytes of all fields together, in memory or in files."""
        return sum(array.nbytes for array in self._arrays.values())

    def digest(self, fields: Iterable[str] | None = None) -> str:
        """SHA-256 of everything that determines a batch: numbers, chosen rows, flips; not the name.

        Every byte is read, by as many threads as there are processors.

        Args:
            fields: only these; by default all.
        """
        names = sorted(self._arrays if fields is None else {*fields})
        found = hashlib.sha256(repr((names, self.flips)).encode())
        rows = [] if self._rows is None else [self._rows]
        with workers() as threads:
            for array in (*map(self._array, names), *rows):
                found.update(repr((str(array.dtype).removeprefix("torch."), *array.shape)).encode())
                at_once = max(1, _HASHED_AT_ONCE * len(array) // max(1, array.nbytes))
                parts = (array[start : start + at_once] for start in range(0, len(array), at_once))
                for part in threads.map(_part_digest, parts):
                    found.update(part)
                    forget(array)
        return found.hexdigest()

    def batch(self, field: str, index: Tensor, flip: Tensor | None = None) -> Tensor:
        """Samples of one field, on the source's device.

        Args:
            field: one of `fields`.
            index: which ones, int64 (batch,) on the CPU, each in [0, length(field)).
            flip: which of them to mirror, bool (batch,); only for images, and only where
                the data set declares `flips`.

        Returns:
            Images float32 (batch, channels, height, width) in [-1, 1]; labels int64 (batch,);
            texts and vectors float32 (batch, size).
        """
        return self.made(field, self.rows(field, index), flip)

    def rows(self, field: str, index: Tensor) -> Tensor:
        """The host inputs of a batch, for `made`: row numbers in the array, or, if it is mapped
        from a file, the values of the rows."""
        array, chosen = self._array(field), self._chosen(field)
        if chosen is not None:
            index = chosen[index.cpu()]
        return index if isinstance(array, Tensor) else torch.as_tensor(taken(array, index.numpy()))

    def is_mapped(self, field: str) -> bool:
        """Whether the rows of a field are read from a file each time."""
        return isinstance(self._array(field), np.memmap)

    def made(self, field: str, rows: Tensor, flip: Tensor | None = None) -> Tensor:
        """The batch of the result of `rows`, computed on the source's device; see `batch`."""
        array = self._array(field)
        if isinstance(array, Tensor):
            rows = array.index_select(0, rows.to(array.device, non_blocking=True))
        else:
            rows = rows.to(self.device, non_blocking=True)
        if flip is not None:
            rows = self._mirrored(field, rows, flip)
        if rows.dtype == torch.uint8:
            return rows.float().div_(127.5).sub_(1)
        return rows

    def to(self, device: str | torch.device) -> Source:
        """The same data set with batches on `device`; mapped arrays stay in their files."""
        moved = copy(self)
        moved.device = torch.device(device)
        moved._arrays = {
            field: array.to(moved.device) if isinstance(array, Tensor) else array
            for field, array in self._arrays.items()
        }
        return moved

    def in_memory(self) -> Source:
        """The same data set, loaded completely into memory."""
        read = copy(self)
        read._arrays = {
            field: array if isinstance(array, Tensor) else torch.tensor(array, device=self.device)
            for field, array in self._arrays.items()
        }
        return read

    def select(self, index: Tensor) -> Source:
        """The rows of `index`, int64 (samples,), of fields that belong together; nothing is copied.

        Fields declared `independent` stay whole.
        """
        chosen = copy(self)
        index = index.cpu()
        chosen._rows = index if self._rows is None else self._rows[index]
        paired = any(not draw.independent for draw in self.fields.fields.values())
        chosen._length = len(index) if paired else len(self)
        return chosen

    def _chosen(self, field: str) -> Tensor | None:
        """The rows of its array that a field has, if not all."""
        return None if self.fields[field].independent else self._rows

    def _array(self, field: str) -> Tensor | np.memmap:
        try:
            return self._arrays[field]
        except KeyError:
            self.fields[field]  # raises the DataError that lists the fields
            raise

    def _mirrored(self, field: str, rows: Tensor, flip: Tensor) -> Tensor:
        if not self.flips or rows.ndim != 4:
            raise DataError(
                f"data set {self.name!r} does not declare that its field {field!r} may be flipped"
            )
        flip = flip.to(rows.device, non_blocking=True).view(-1, 1, 1, 1)
        return torch.where(flip, rows.flip(-1), rows)


def _part_digest(part: Tensor | np.ndarray) -> bytes:
    values = part.cpu().numpy() if isinstance(part, Tensor) else part
    return hashlib.sha256(np.ascontiguousarray(values).view(np.uint8).data).digest()


def _tensor(array: Any) -> Tensor:
    if isinstance(array, Tensor):
        plain_array(array[:0] if array.layout == torch.strided and array.ndim else array)
        return array.detach()
    # a copy: arrays of NumPy may be read-only, which a tensor cannot be
    return torch.tensor(np.ascontiguousarray(plain_array(array)))


def _channels_first(name: str, images: Tensor) -> Tensor:
    """NCHW from NCHW, NHWC or NHW, by the position of the channels."""
    try:
        match several(images.shape):
            case "nhw":
                return images[:, None]
            case "nhwc":
                return images.movedim(3, 1)
            case _:
                return images
    except DataError as error:
        raise DataError(f"{name}: {error}") from None


def _checked(
    place: str, draw: Image | Label | Text | Vector, array: Any, value_range: tuple[float, float]
) -> Tensor | np.memmap:
    """The array as a Source stores it, checked against the draw."""
    mapped = isinstance(draw, Image) and isinstance(array, np.memmap)
    kept: Tensor | np.memmap[Any, Any] = array if mapped else _tensor(array)  # pyright: ignore[reportUnknownVariableType]
    expected = ("samples", *tensor_shape(draw))
    if kept.ndim != len(expected) or tuple(kept.shape[1:]) != expected[1:]:
        raise DataError(
            f"{place} is declared as {draw.kind} ({', '.join(map(str, expected))}), "
            f"but its array is {tuple(kept.shape)}"
        )
    if len(kept) == 0:
        raise DataError(f"{place} has no samples")
    if isinstance(kept, np.memmap):
        levels = cast("np.memmap[Any, np.dtype[Any]]", kept)
        if levels.dtype != np.uint8:
            raise DataError(f"{place}: images mapped from a file must be uint8, not {levels.dtype}")
        return levels
    if isinstance(draw, Image) and kept.dtype in (torch.bool, torch.uint16):
        kept = torch.as_tensor(values(kept.numpy(force=True)))
    if isinstance(draw, Image) and kept.dtype == torch.uint8:
        return kept.contiguous()
    if isinstance(draw, Label) == kept.is_floating_point():
        raise DataError(f"{place}: a {draw.kind} cannot be {kept.dtype}; {_ALLOWED[draw.kind]}")
    kept = kept.long() if isinstance(draw, Label) else kept
    low, high = (value.item() for value in kept.aminmax())
    if isinstance(draw, Label):
        if not 0 <= low <= high < draw.classes:
            raise DataError(
                f"{place}: labels of {draw.classes} classes are in [0, {draw.classes - 1}], "
                f"these in [{low}, {high}]"
            )
        return kept.long()
    if not -math.inf < low <= high < math.inf:
        raise DataError(f"{place} has values that are not finite")
    if isinstance(draw, Image):
        return _centred(place, kept.float(), (low, high), value_range)
    return kept.float().contiguous()


def _centred(
    place: str, images: Tensor, found: tuple[float, float], value_range: tuple[float, float]
) -> Tensor:
    """Float images in [-1, 1] from images in `value_range`."""
    low, high = value_range
    if not -math.inf < low < high < math.inf:
        raise DataError(f"{place}: value_range is (lowest, highest), not {value_range!r}")
    slack = TOLERANCE * (high - low)
    if found[0] < low - slack or found[1] > high + slack:
        raise DataError(
            f"{place}: float images are in [{low:g}, {high:g}], these in [{found[0]:g}, "
            f"{found[1]:g}]; give those in [0, 255] as uint8, and say which range others have: "
            "value_range=(-1, 1)"
        )
    if (low, high) == (-1, 1):
        return images.clamp(-1, 1).contiguous()
    return images.sub(low).mul(2 / (high - low)).sub(1).clamp(-1, 1).contiguous()


_ALLOWED = {
    "image": "images are uint8 or float in [0, 1]",
    "label": "labels are integers",
    "text": "embedded texts are float",
    "vector": "vectors are float",
}
