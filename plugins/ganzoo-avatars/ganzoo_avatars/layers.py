"""Part layers of three styles, and how portraits are composited from them.

A layer is the part's outline and shading (colour, premultiplied by alpha), its alpha, and a
coverage mask for the one colour of the portrait that fills it (hair, skin, clothes, ...). The
result is `below * (1 - alpha) + outline + mask * colour`, layer by layer: the "over" operator of
Porter and Duff, "Compositing digital images", SIGGRAPH 1984.

All arithmetic is one NumPy call an operation, in float32: each is rounded as IEEE 754 says, so that
the same attributes give the same bytes on every machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

import numpy as np

from .drawings import RGB

CHUNK = 32
"""The number of portraits composited at once; about as many as fit into a processor's cache."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One part and its position in the picture.

    Args:
        y, x: its upper left corner. outline: uint8 (3, h, w), premultiplied by alpha.
        alpha: uint8 (h, w). slot: the colour of the portrait that fills it, "" for none.
        mask: uint8 (h, w), the coverage of that colour, premultiplied as well.
    """

    y: int
    x: int
    outline: np.ndarray
    alpha: np.ndarray
    slot: str
    mask: np.ndarray


@dataclass(frozen=True, eq=False)
class Style:
    """A style of drawing.

    Args:
        side: pixels of a portrait. order: the groups of parts, from the bottom to the top.
        layers: by group and part.
    """

    side: int
    order: tuple[str, ...]
    layers: Mapping[tuple[str, str], Layer]


@cache
def style(name: str) -> Style:
    """The style of that name: "toon-head" and "adventurer" (64x64) or "pixel-art" (16x16)."""
    folder = files("ganzoo_avatars") / "parts"
    declared = json.loads((folder / "styles.json").read_text("utf-8"))[name]
    with (folder / f"{name}.npz").open("rb") as file:
        stored = np.load(file)
        table, pixels, side = stored["table"], stored["pix"], int(stored["size"])
    layers: dict[tuple[str, str], Layer] = {}
    for (group, part), (start, y, x, height, width, bits) in zip(
        declared["parts"], table.tolist(), strict=True
    ):
        slots = [slot for bit, slot in enumerate(declared["colours"]) if bits >> bit & 1]
        assert len(slots) < 2, f"{name}: {group} {part} has several colours"
        planes = pixels[start : start + (4 + len(slots)) * height * width]
        planes = planes.reshape(-1, height, width)
        mask = planes[4] if slots else np.zeros_like(planes[3])
        layers[group, part] = Layer(y, x, planes[:3], planes[3], "".join(slots), mask)
    return Style(side, tuple(declared["order"]), layers)


def composite(
    name: str,
    parts: Mapping[str, tuple[Sequence[str], np.ndarray]],
    colours: Mapping[str, tuple[Sequence[RGB], np.ndarray]],
) -> np.ndarray:
    """Portraits of one style.

    Args:
        name: the style.
        parts: by group, the possible parts ("" is none), and the index of each portrait's part,
            integers (n,). A group that is not given is not drawn.
        colours: by slot, RGB colours, and the index of each portrait's colour, integers (n,); the
            slot "background" fills the background.

    Returns:
        uint8 (n, 3, side, side).
    """
    drawn = style(name)
    palette, which = colours["background"]
    number, side = len(which), drawn.side
    grounds = np.tile(np.array(palette, np.float32), side)[:, None]
    canvas = np.empty((min(CHUNK, number), side, side * 3), np.float32)
    stacks = [
        (stack, stack.scratch(len(canvas)), parts[group][1], colours.get(stack.slot, ((), None))[1])
        for group in drawn.order
        if group in parts
        if (stack := _stack(name, group, tuple(parts[group][0]), _palettes(colours)))
    ]
    made = np.empty((number, 3, side, side), np.uint8)
    for first in range(0, number, CHUNK):
        rows = slice(first, min(first + CHUNK, number))
        part = canvas[: rows.stop - first]
        part[:] = grounds[which[rows]]
        for stack, scratch, chosen, inks in stacks:
            stack.draw(part, chosen[rows], 0 if inks is None else inks[rows], scratch)
        np.rint(part, out=part)
        made[rows] = part.reshape(-1, side, side, 3).transpose(0, 3, 1, 2)
    return made


def _palettes(
    colours: Mapping[str, tuple[Sequence[RGB], np.ndarray]],
) -> tuple[tuple[str, tuple[RGB, ...]], ...]:
    return tuple((slot, tuple(palette)) for slot, (palette, _) in sorted(colours.items()))


@dataclass(frozen=True, eq=False)
class _Stack:
    """The parts of one group in all their colours, cropped to their bounding box.

    `through` is 1 - alpha, float32 (parts, h, 3 w), and `ink` the premultiplied colours, float32
    (parts * colours, h, 3 w); the three channels of a pixel are adjacent.
    """

    box: tuple[slice, slice]
    slot: str
    through: np.ndarray
    ink: np.ndarray

    def scratch(self, number: int) -> np.ndarray:
        """Buffers of `draw` for up to `number` canvases."""
        return np.empty((number, *self.through.shape[1:]), np.float32)

    def draw(
        self, canvas: np.ndarray, chosen: np.ndarray, inks: np.ndarray | int, scratch: np.ndarray
    ) -> None:
        """Composite parts `chosen` (n,) in colours `inks` (n,) onto canvases (n, side, 3 side)."""
        below, layer = canvas[:, *self.box], scratch[: len(canvas)]
        below *= self.through.take(chosen, 0, layer, "clip")
        colours = len(self.ink) // len(self.through)
        below += self.ink.take(chosen * colours + inks, 0, layer, "clip")


@lru_cache(maxsize=64)
def _stack(
    name: str, group: str, parts: tuple[str, ...], palettes: tuple[tuple[str, tuple[RGB, ...]], ...]
) -> _Stack | None:
    """None if no part of the group is ever drawn."""
    layers = [style(name).layers[group, part] if part else None for part in parts]
    real = [layer for layer in layers if layer is not None]
    if not real:
        return None
    (slot,) = {layer.slot for layer in real if layer.slot} or {""}
    palette = np.array(dict(palettes)[slot] if slot else [(0, 0, 0)], np.float32)
    top, left = min(layer.y for layer in real), min(layer.x for layer in real)
    bottom = max(layer.y + layer.alpha.shape[0] for layer in real)
    right = max(layer.x + layer.alpha.shape[1] for layer in real)
    through = np.ones((len(layers), bottom - top, right - left, 3), np.float32)
    ink = np.zeros((len(layers), len(palette), *through.shape[1:]), np.float32)
    for number, layer in enumerate(layers):
        if layer is None:
            continue
        height, width = layer.alpha.shape
        rows = slice(layer.y - top, layer.y - top + height)
        columns = slice(layer.x - left, layer.x - left + width)
        through[number, rows, columns] = 1 - layer.alpha[..., None].astype(np.float32) / 255
        outline = layer.outline.transpose(1, 2, 0).astype(np.float32)
        mask = layer.mask[..., None].astype(np.float32) / 255
        ink[number, :, rows, columns] = outline + mask * palette[:, None, None]
    return _Stack(
        (slice(top, bottom), slice(3 * left, 3 * right)),
        slot,
        through.reshape(*through.shape[:2], -1),
        ink.reshape(-1, *ink.shape[2:3], ink.shape[3] * 3),
    )
