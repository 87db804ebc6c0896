"""Portraits as attributes: random attributes, and the split that a portrait belongs to.

A portrait is a function of (style, seed, index), computed in integers, so that it is the same on
every machine and in any order or batch. The number of indices is practically unlimited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np

from ganzoo import GanzooError

from .drawings import DRAWINGS, RGB, Drawing
from .layers import composite, style
from .unknown import check

PARTS = ("test", "validation", "a", "b")
SHARES = (4, 2, 7, 7)
"""The share of portraits in each part, in twentieths; `a` and `b` are the halves for training."""


@dataclass(frozen=True, eq=False)
class Portraits:
    """Portraits of one style.

    Args:
        style: one of `DRAWINGS`.
        attributes: by attribute, the index of each portrait's value, int64 (n,).
        chosen: choices that belong to no attribute, such as among a value's parts; int64 (n,) each.
    """

    style: str
    attributes: Mapping[str, np.ndarray]
    chosen: Mapping[str, np.ndarray] = field(repr=False)

    def __len__(self) -> int:
        return len(next(iter(self.attributes.values())))

    @classmethod
    def joined(cls, several: Sequence[Portraits]) -> Portraits:
        """The portraits of all, concatenated; they must have the same style."""
        first = several[0]

        def each(kind: str) -> dict[str, np.ndarray]:
            return {
                name: np.concatenate([getattr(one, kind)[name] for one in several])
                for name in getattr(first, kind)
            }

        return cls(first.style, each("attributes"), each("chosen"))

    def take(self, rows: np.ndarray | slice) -> Portraits:
        """The portraits of these rows: a slice, indices, or bool (n,)."""
        return replace(
            self,
            attributes={name: values[rows] for name, values in self.attributes.items()},
            chosen={name: values[rows] for name, values in self.chosen.items()},
        )

    def changed(self, **values: str) -> Portraits:
        """The same portraits with other values of some attributes, such as `hair_colour="blond"`.

        Raises:
            GanzooError: no such attribute or value.
        """
        attributes, chosen = dict(self.attributes), dict(self.chosen)
        for name, value in values.items():
            number = value_number(self.style, name, value)
            attributes[name] = np.full(len(self), number)
            kinds = DRAWINGS[self.style].attributes[name].kinds[number]
            if name in chosen:
                chosen[name] = chosen[name] % kinds
        return replace(self, attributes=attributes, chosen=chosen)

    def words(self, row: int) -> dict[str, str]:
        """The names of one portrait's values, by attribute."""
        known = DRAWINGS[self.style].attributes
        return {
            name: known[name].names[int(values[row])] for name, values in self.attributes.items()
        }

    def pixels(self, side: int = 0) -> np.ndarray:
        """uint8 (n, 3, side, side).

        Args:
            side: by default the style's own (64, pixel-art 16); otherwise an integer multiple of
                it, or an integer fraction (means of pixels, rounded half up).

        Raises:
            GanzooError: the side is neither.
        """
        own = style(self.style).side
        side = side or own
        if side >= own and side % own == 0:
            made, factor = self._composited(), side // own
            return made if factor == 1 else made.repeat(factor, 2).repeat(factor, 3)
        if side < 1 or own % side:
            raise GanzooError(
                f"portraits of style {self.style!r} have {own} pixels per side; a multiple or an "
                f"integer fraction of that is allowed, not {side}"
            )
        made = np.empty((len(self), 3, side, side), np.uint8)
        for first in range(0, len(self), 1000):  # never all of them at full size
            rows = slice(first, first + 1000)
            made[rows] = _shrunk(self.take(rows)._composited(), own // side)
        return made

    def _composited(self) -> np.ndarray:
        """uint8 (n, 3, side, side) of the style's own side."""
        drawing = DRAWINGS[self.style]
        parts: dict[str, tuple[Sequence[str], np.ndarray]] = {}
        colours: dict[str, tuple[Sequence[RGB], np.ndarray]] = {}
        nothing = np.zeros(len(self), np.int64)
        for name, attribute in drawing.attributes.items():
            number = self.attributes[name]
            if attribute.colour:
                colours[attribute.slot] = (attribute.colours, number)
                continue
            first = np.cumsum((0, *attribute.kinds[:-1]))
            parts[attribute.slot] = (
                attribute.parts,
                first[number] + self.chosen.get(name, nothing),
            )
        for slot, part in drawing.fixed.items():
            parts[slot] = ((part,), nothing)
        for slot, group in drawing.unnamed.items():
            parts[slot] = (group, self.chosen[slot])
        for slot, palette in drawing.colours.items():
            colours[slot] = (palette, self.chosen[slot])
        return composite(self.style, parts, colours)


def _shrunk(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Means of factor x factor pixels, rounded half up; in integers."""
    sums = np.full(
        (*pixels.shape[:2], *(size // factor for size in pixels.shape[2:])),
        factor**2 // 2,
        np.uint16 if factor < 16 else np.uint32,
    )
    for row in range(factor):
        for column in range(factor):
            sums += pixels[:, :, row::factor, column::factor]
    sums //= factor**2
    return sums.astype(np.uint8)


def drawing_of(style: str) -> Drawing:
    """Raise GanzooError if there is no such style."""
    check(style, DRAWINGS, f"no style {style!r}")
    return DRAWINGS[style]


def value_number(style: str, name: str, value: str) -> int:
    """The index of a value of an attribute; GanzooError if there is none of that name."""
    known = drawing_of(style).attributes
    check(name, known, f"portraits of style {style!r} have no attribute {name!r}")
    names = known[name].names
    check(value, names, f"attribute {name!r} has no value {value!r}")
    return names.index(value)


def draw(
    index: np.ndarray,
    seed: int = 0,
    style: str = "toon-head",
    keep: Callable[[Portraits], np.ndarray] | None = None,
    given: Mapping[str, str | np.ndarray] | None = None,
) -> Portraits:
    """The random portraits of these indices; they are always the same.

    Args:
        index: integers in [0, 2**63), (n,). seed: another seed gives other portraits.
        style: one of `DRAWINGS`.
        keep: returns which portraits to accept, bool (n,); the others are drawn again.
        given: fixed attributes: the name of a value for all portraits, or the indices of values,
            integers (n,); negative ones stay random.

    Raises:
        GanzooError: there is no such style, attribute or value, or some portraits are not accepted
            after a thousand draws.
    """
    drawing = drawing_of(style)
    index = np.asarray(index, np.int64)
    fixed = {
        name: np.full(len(index), value_number(style, name, value))
        if isinstance(value, str)
        else _numbers(style, name, value, len(index))
        for name, value in (given or {}).items()
    }
    found = _drawn(drawing, style, seed, index, 0, fixed)
    if keep is None:
        return found
    left = np.flatnonzero(~keep(found))
    for attempt in range(1, 1000):
        if not len(left):
            return found
        still = {name: values[left] for name, values in fixed.items()}
        again = _drawn(drawing, style, seed, index[left], attempt, still)
        for kept, new in ((found.attributes, again.attributes), (found.chosen, again.chosen)):
            for name, values in new.items():
                kept[name][left] = values  # type: ignore[index]
        left = left[~keep(again)]
    raise GanzooError(f"{len(left)} of {len(index)} portraits of style {style!r}: none accepted")


def _numbers(style: str, name: str, values: np.ndarray, number: int) -> np.ndarray:
    """Given indices of values, validated."""
    known = drawing_of(style).attributes
    check(name, known, f"portraits of style {style!r} have no attribute {name!r}")
    values = np.asarray(values, np.int64)
    if values.shape != (number,) or (number and values.max() >= len(known[name].values)):
        raise GanzooError(
            f"attribute {name!r} is given as one number below {len(known[name].values)} for each "
            f"of {number} portraits, not as an array of shape {values.shape} up to "
            f"{values.max() if values.size else 0}"
        )
    return values


def _drawn(
    drawing: Drawing,
    style: str,
    seed: int,
    index: np.ndarray,
    attempt: int,
    given: Mapping[str, np.ndarray],
) -> Portraits:
    stream = number_of(style, seed, attempt)
    attributes: dict[str, np.ndarray] = {}
    chosen: dict[str, np.ndarray] = {}
    for name, attribute in drawing.attributes.items():
        weights = attribute.weights or (1,) * len(attribute.values)
        place = below(sum(weights), index, stream, name)
        attributes[name] = np.searchsorted(np.cumsum(weights), place, side="right")
        if name in given:
            attributes[name] = np.where(given[name] < 0, attributes[name], given[name])
        if max(attribute.kinds) > 1:
            kinds = np.array(attribute.kinds)[attributes[name]]
            chosen[name] = below(kinds, index, stream, f"{name} part")
    for slot, options in {**drawing.unnamed, **drawing.colours}.items():
        chosen[slot] = below(len(options), index, stream, slot)
    return Portraits(style, attributes, chosen)


def part_of(portraits: Portraits) -> np.ndarray:
    """The index in `PARTS` of each portrait, int64 (n,): a hash of its attributes.

    Portraits that differ only in attributes that data sets change (hair colour, beard, glasses) are
    in the same part, so that neither a test portrait nor its partner is used for training.
    """
    drawing = DRAWINGS[portraits.style]
    code = np.full(len(portraits), number_of(portraits.style, "part"), np.uint64)
    for name, values in portraits.attributes.items():
        if not drawing.attributes[name].paired:
            code = _mixed(code + values.astype(np.uint64))
    for name, values in portraits.chosen.items():
        if name not in drawing.attributes or not drawing.attributes[name].paired:
            code = _mixed(code + values.astype(np.uint64))
    return np.searchsorted(np.cumsum(SHARES), _scaled(code, sum(SHARES)), side="right")


def below(number: int | np.ndarray, index: np.ndarray, *words: object) -> np.ndarray:
    """Integers in [0, number), int64 (n,), that depend only on the index and on the words."""
    return _scaled(_mixed(index.astype(np.uint64) + np.uint64(number_of(*words))), number)


def number_of(*words: object) -> int:
    """64 bits that depend only on the words, the same on every machine."""
    return int.from_bytes(sha256(repr(words).encode()).digest()[:8], "big")


def _scaled(bits: np.ndarray, number: int | np.ndarray) -> np.ndarray:
    """Integers in [0, number), int64, from uniform uint64."""
    return ((bits >> np.uint64(32)) * np.uint64(number) >> np.uint64(32)).astype(np.int64)


def _mixed(x: np.ndarray) -> np.ndarray:
    """SplitMix64's step and output (Steele, Lea and Flood, OOPSLA 2014), of uint64."""
    x = x * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ x >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ x >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return x ^ x >> np.uint64(31)
