"""Read model.safetensors: once, hashed while it is read, into memory of our own.

The safetensors library maps the file: later changes of the file would change the model, and
truncating it would kill the process. Here nothing outside can reach the weights, and the bytes
that are hashed are the bytes that are used.

The format is eight bytes with the length of a header, the header in JSON, and the tensors one
after the other (https://huggingface.co/docs/safetensors).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard

import torch
from torch import Tensor

from ganzoo.errors import IntegrityError, SpecError, StoreError, choices, plain
from ganzoo.layout import CONFIG
from ganzoo.reading import opened
from ganzoo.spec.json_text import strict_json

TYPES = {
    "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64,
    "I64": torch.int64, "I32": torch.int32,
}  # fmt: skip
"""The types that the file may hold, by their names in it."""
OTHERS = 4_000_000_000
"""The most bytes of tensors that are skipped."""
HEADER = 1_000_000
"""The most bytes of a header, beside 400 for each expected tensor."""


@dataclass(frozen=True)
class _Place:
    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


def read(
    path: Path, sha256: str, expected: Mapping[str, Tensor], others: tuple[str, ...] = ()
) -> dict[str, Tensor]:
    """The tensors of a file, with the types of `expected`, after all checks.

    Args:
        sha256: of the file, as config.json names it.
        expected: names, shapes and types; on the meta device.
        others: prefixes of tensors that may be there, too, and are not read.

    Raises:
        IntegrityError: the hash differs.
        StoreError: it cannot be read, is larger than the expected tensors, is not in the format,
            does not have those tensors, or has numbers that are not finite.
    """
    header = HEADER + 400 * len(expected) + sum(map(len, expected))
    most = 8 + header + sum(8 * value.numel() for value in expected.values())
    if others:  # it is unknown how many there are
        header, most = 2 * header, most + header + OTHERS
    with opened(path, most) as (file, size):
        source = _Hashed(file, path, size)
        tensors: dict[str, Tensor] = {}
        problem: StoreError | None = None
        try:
            for place in _places(source, path, size, header, expected, others):
                if place.name not in expected:
                    source.skip(place.end - place.begin)
                    continue
                tensors[place.name] = _tensor(source, place).to(expected[place.name].dtype)
        except _UnreadableError:
            raise
        except StoreError as error:
            problem = error
        source.drain()
        if source.hexdigest != sha256:
            raise IntegrityError(
                f"{path} has sha256 {source.hexdigest[:12]}..., and {CONFIG} names "
                f"{sha256[:12]}...: the file is damaged or a different one; get the model again"
            )
        if problem is not None:
            raise problem
    for name, value in tensors.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise StoreError(
                f"{path}: {name} holds numbers that are not finite (NaN or infinite), so that "
                "this model has come to nothing; train it again, or take an earlier one"
            )
    return tensors


class _UnreadableError(StoreError):
    """The system failed to read; the file itself may be fine."""


class _Hashed:
    """A file that is hashed while it is read, once, from the start."""

    def __init__(self, file: BinaryIO, path: Path, size: int) -> None:
        self.file, self.path, self.left = file, path, size
        self.hash = hashlib.sha256()

    def into(self, buffer: memoryview) -> None:
        """Fill a buffer; StoreError where the file ends too early."""
        done = 0
        while done < len(buffer):
            try:
                count = self.file.readinto(buffer[done : done + (1 << 22)])  # type: ignore[attr-defined]
            except OSError as error:
                raise _UnreadableError(f"{self.path} cannot be read ({plain(error)})") from None
            if not count:
                raise StoreError(f"{self.path} is not a safetensors file: it ends too early")
            self.hash.update(buffer[done : done + count])
            done += count
            self.left -= count

    def take(self, size: int) -> bytes:
        found = bytearray(size)
        self.into(memoryview(found))
        return bytes(found)

    def skip(self, size: int) -> None:
        """Hash bytes that are not needed, a piece at a time."""
        while size:
            size -= len(self.take(min(size, 1 << 20)))

    def drain(self) -> None:
        """Hash the rest."""
        while self.left > 0:
            try:
                self.take(min(self.left, 1 << 20))
            except _UnreadableError:
                raise
            except StoreError:
                return  # it became shorter: another hash

    @property
    def hexdigest(self) -> str:
        return self.hash.hexdigest()


def _places(
    source: _Hashed,
    path: Path,
    size: int,
    most: int,
    expected: Mapping[str, Tensor],
    others: tuple[str, ...],
) -> list[_Place]:
    """The positions of tensors, in file order; names and shapes must be the expected ones."""

    def broken(why: str) -> StoreError:
        return StoreError(f"{path} is not a safetensors file: {why}")

    if size < 8:
        raise broken("it is too short")
    length = int.from_bytes(source.take(8), "little")
    if length > min(size - 8, most):
        raise broken(f"its header would have {length:,} bytes; at most {min(size - 8, most):,}")
    try:
        header: Any = strict_json(source.take(length).decode("utf-8"))
    except (UnicodeDecodeError, SpecError) as error:
        raise broken(f"its header cannot be read ({plain(error)})") from None
    if not isinstance(header, dict):
        raise broken("its header is not an object")
    header.pop("__metadata__", None)
    read = {name for name in header if name in expected or not name.startswith(others)}
    if read != set(expected):
        missing = [plain(name, 100) for name in expected if name not in header]
        extra = [plain(name, 100) for name in read if name not in expected]
        raise StoreError(
            f"{path} does not fit its Spec: missing {choices(missing, 5)}, "
            f"unknown {choices(extra, 5)}"
        )
    places = sorted(
        (_place(name, said, broken) for name, said in header.items()), key=lambda one: one.begin
    )
    end = 0
    for place in places:
        wanted = tuple(expected[place.name].shape) if place.name in expected else place.shape
        if place.shape != wanted:
            raise StoreError(f"{path}: {place.name} is {place.shape}, and the Spec needs {wanted}")
        if place.begin != end:
            raise broken(f"its tensors overlap or leave gaps at {place.name}")
        end = place.end
    if end != size - 8 - length:
        raise broken(f"its tensors end at {end:,}, and its data at {size - 8 - length:,}")
    return places


def _place(name: str, said: Any, broken: Any) -> _Place:
    """The header's entry for one tensor, checked."""
    facts: dict[str, Any] = said if isinstance(said, dict) else {}
    dtype, shape, span = facts.get("dtype"), facts.get("shape"), facts.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in TYPES:
        raise broken(f"{name} is of type {plain(dtype, 40)!r}; allowed: {choices(TYPES)}")
    if not _sizes(shape) or not _sizes(span) or len(span) != 2:
        raise broken(f"the shape and the place of {name} are not whole numbers")
    begin, end = span
    if end - begin != math.prod(shape) * TYPES[dtype].itemsize:
        raise broken(f"{name} has {end - begin:,} bytes, which its shape and type do not need")
    return _Place(name, TYPES[dtype], tuple(shape), begin, end)


def _sizes(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(
        type(part) is int and 0 <= part < 2**48 for part in value
    )


def _tensor(source: _Hashed, place: _Place) -> Tensor:
    """A tensor in new memory, read directly into it."""
    value = torch.empty(place.shape, dtype=place.dtype)
    if value.numel():
        flat: Any = value.view(-1).view(torch.uint8).numpy()
        source.into(memoryview(flat))
    return value
