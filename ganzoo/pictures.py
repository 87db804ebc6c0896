"""Pictures of a run: sheets of samples, animations, and loss plots. No torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 900
"""The greatest width of a sheet in pixels, if possible."""
LARGEST_SCALE = 16
BACKGROUND = 228
"""The grey between images: neither the black of digits nor the white of a page."""
ABREAST = 10
"""Pairs side by side before another block begins."""
FRAMES_A_SECOND = 10
GREYS = 32
"""Of an animation without colours."""


def to_uint8(images: Any) -> np.ndarray:
    """Float images (n, channels, height, width) in [0, 1] as bytes (n, height, width, channels).

    Takes whatever NumPy can read, including CPU tensors. Values outside are clipped, NaN becomes
    black.
    """
    array = np.asarray(images, dtype=np.float32)
    if array.ndim != 4:
        raise ValueError(f"images are (n, channels, height, width), not of shape {array.shape}")
    array = np.nan_to_num(array, nan=0.0).clip(0, 1)
    return (array * 255).round().astype(np.uint8).transpose(0, 2, 3, 1)


def sheet(
    images: Any,
    columns: int | None = None,
    scale: int | None = None,
    gap: int | None = None,
    background: int = BACKGROUND,
) -> Image.Image:
    """Images side by side and row by row, as one picture.

    images: float (n, channels, height, width) in [0, 1]; 1, 3 or 4 channels, four of which
        are composited on white.
    columns: images in a row; by default enough to make the sheet about square.
    scale: each pixel becomes a square of this side; by default so that the sheet is 600
        to 900 pixels wide.
    gap: pixels between images and around them; by default a little.
    background: the grey of the gaps, 0 to 255.
    """
    tiles = _opaque(to_uint8(images))
    number, height, width, channels = tiles.shape
    if not number:
        raise ValueError("a sheet needs at least one image")
    columns = min(columns or _columns(number), number)
    rows = math.ceil(number / columns)
    if scale is None:
        scale = _scale(columns, width)
    if gap is None:
        gap = max(2, round(_GAP * scale))
    tiles = tiles.repeat(scale, axis=1).repeat(scale, axis=2)
    height, width = height * scale, width * scale
    canvas = np.full(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, channels),
        background,
        np.uint8,
    )
    for place, tile in enumerate(tiles):
        top = gap + place // columns * (height + gap)
        left = gap + place % columns * (width + gap)
        canvas[top : top + height, left : left + width] = tile
    return Image.fromarray(canvas[..., 0] if channels == 1 else canvas)


_GAP = 1.0
"""The gap between images, in their pixels."""


def save_sheet(images: Any, path: str | Path, **layout: Any) -> Path:
    """Write the `sheet` of images; the suffix of `path` says the format."""
    path = Path(path)
    sheet(images, **layout).save(path, optimize=True)
    return path


def pairs(originals: Any, *copies: Any, scale: int | None = None) -> Image.Image:
    """Pictures in a row, with their copies below each, on white; and copies of those, if any.

    Pairs that do not fit side by side continue in blocks of rows, about equally long, with more
    space between blocks than inside them.

    Args:
        originals, copies: floats (n, channels, height, width) in [0, 1], equally many. Smaller ones
            are enlarged to the size of the largest, and grey ones are shown beside colours.
        scale: each pixel becomes a square of this side; by default so that a page is filled.
    """
    rows = [np.asarray(images, np.float32) for images in (originals, *copies)]
    if len({len(row) for row in rows}) > 1 or any(row.ndim != 4 for row in rows):
        shapes = " and ".join(str(row.shape) for row in rows)
        raise ValueError(f"pairs are equally many images, not of shapes {shapes}")
    if len({row.shape for row in rows}) > 1:
        rows = _of_one_shape(rows)
    number, width = len(rows[0]), rows[0].shape[3]
    if not number:
        raise ValueError("a sheet needs at least one image")
    columns = _abreast(number, width)
    scale = scale or _scale(columns, width)
    blocks = [
        sheet(
            np.concatenate([row[first : first + columns] for row in rows]),
            columns=min(columns, number - first),
            scale=scale,
            background=255,
        )
        for first in range(0, number, columns)
    ]
    space = 2 * max(2, round(_GAP * scale))
    height = blocks[0].height + space
    canvas = Image.new(blocks[0].mode, (blocks[0].width, len(blocks) * height - space), "white")
    for place, block in enumerate(blocks):
        canvas.paste(block, (0, place * height))
    return canvas


def stacked(sheets: Sequence[Image.Image], space: int = 8) -> Image.Image:
    """Sheets below each other, on white, with so many pixels between them."""
    if len(sheets) == 1:
        return sheets[0]
    height = sum(sheet.height + space for sheet in sheets) - space
    canvas = Image.new("RGB", (max(sheet.width for sheet in sheets), height), "white")
    top = 0
    for sheet in sheets:
        canvas.paste(sheet, (0, top))
        top += sheet.height + space
    return canvas


def _abreast(number: int, width: int) -> int:
    """The columns of the pairs of so many pictures."""
    most = max(1, min(ABREAST, int((WIDTH - _GAP) / (width + _GAP))))
    return math.ceil(number / math.ceil(number / most))


def _of_one_shape(rows: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Images of several shapes, (n, c, h, w) each, as colours of the largest height and width."""
    height, width = (max(row.shape[axis] for row in rows) for axis in (2, 3))
    found: list[np.ndarray] = []
    for row in rows:
        tiles = _opaque(to_uint8(row)).transpose(0, 3, 1, 2).astype(np.float32) / 255
        down = np.arange(height) * row.shape[2] // height
        right = np.arange(width) * row.shape[3] // width
        tiles = tiles[:, :, down][:, :, :, right]
        found.append(np.broadcast_to(tiles, (len(tiles), 3, height, width)))
    return found


def save_pairs(originals: Any, copies: Any, path: str | Path) -> Path:
    """Write the `pairs`; the ending of `path` says the format."""
    path = Path(path)
    pairs(originals, copies).save(path, optimize=True)
    return path


HEAT = (255, 72, 0)
"""The colour of anomalies."""


def heat_maps(images: Any, maps: np.ndarray, most: float | None = None) -> np.ndarray:
    """Images with their anomalies highlighted, uint8 (n, height, width, 3).

    Args:
        images: float (n, channels, height, width) in [0, 1].
        maps: how strange each pixel is, float (n, height, width), not negative.
        most: the strangeness at full intensity; by default the maximum of `maps`, so that the
            maps of one call can be compared.
    """
    below = np.repeat(_opaque(to_uint8(images)).mean(-1, keepdims=True), 3, axis=-1) * 0.7
    glow = np.clip(maps / max(most or float(maps.max()), 1e-9), 0, 1)[..., None]
    return (below * (1 - glow) + np.array(HEAT) * glow).round().astype(np.uint8)


def animation(
    frames: Sequence[Image.Image], path: str | Path, seconds: float = 6.0, hold: float = 2.0
) -> Path:
    """Write a GIF that plays the frames in `seconds`, pauses on the last, and starts again.

    If there are too many frames, evenly spaced ones are kept, including the first and the last. One
    palette is used for all frames, so that nothing flickers.
    """
    if not frames:
        raise ValueError("an animation needs at least one frame")
    number = max(1, min(len(frames), round(seconds * FRAMES_A_SECOND)))
    places = np.linspace(0, len(frames) - 1, number).round().astype(int)
    places[-1] = len(frames) - 1
    chosen = _indexed([frames[place] for place in places])
    each = round(1000 * seconds / number)
    chosen[0].save(
        path,
        format="GIF",
        save_all=True,
        append_images=chosen[1:],
        duration=[each] * (number - 1) + [each + round(1000 * hold)],
        loop=0,
    )
    return Path(path)


def loss_plot(
    records: Sequence[Mapping[str, Any]],
    path: str | Path,
    title: str = "",
    *,
    word: str = "update",
) -> Path:
    """Draw the losses of a run: a panel for each update, a line for each of its terms.

    The pale line shows the logged values, the strong one their running mean. Spikes may leave the
    panel, so that the rest stays legible.

    Args:
        records: `{"step": 100, "losses": {"D.real": 0.6, "D.fake": 0.5, "G.fool": 1.1}}`, in
                order; a term may be missing in some. The part before the last dot is the update.
                `"figures": {"fid": 23.1}` are drawn in a panel of their own.
        path: a PNG of 1800 pixels width, made to be shown at 900; another ending, such as
            `.svg`, gives that format.
        title: above the panels. word: before the name of each panel.
    """
    from matplotlib.figure import Figure

    terms = _lines(records)
    if not terms:
        raise ValueError("a loss plot needs at least one logged loss")
    across = min(len(terms), 2)
    down = math.ceil(len(terms) / across)
    figure = Figure(figsize=(9, 0.7 + 3.1 * down), dpi=200, layout="constrained", facecolor="white")
    if title:
        # an empty line below, to keep away from the panels
        figure.suptitle(
            f"{title}\n", x=0.012, ha="left", fontsize=13, fontweight="bold", color=_INK
        )
    panels = figure.subplots(down, across, squeeze=False, sharex=True).ravel()
    last = max(record["step"] for record in records)
    for panel, (update, lines) in zip(panels, terms.items(), strict=False):
        named = update if update == MEASURED else f"{word} {update}".strip()
        _panel(panel, named, lines, last)
    for panel in panels[len(terms) :]:
        panel.remove()
    figure.savefig(path)
    return Path(path)


MEASURED = "measured on the way"
"""The name of the panel of figures, beside those of updates."""
Line = tuple[np.ndarray, np.ndarray]
"""The steps at which a term was logged, and its values."""

_INK, _PALE_INK = "#24292f", "#6e7781"
# Okabe and Ito's colours, distinct for the colour-blind; their yellow is too pale for lines
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def _lines(records: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Line]]:
    """The logged lines by update and term, in the order of their first appearance."""
    logged: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for record in records:
        figures = {f"{MEASURED}.{name}": value for name, value in record.get("figures", {}).items()}
        for name, value in (*record["losses"].items(), *figures.items()):
            update, _, term = name.rpartition(".")
            points = logged.setdefault(update, {}).setdefault(term, [])
            if math.isfinite(value):
                points.append((record["step"], value))
    return {
        update: {
            term: (np.array([step for step, _ in points]), np.array([v for _, v in points]))
            for term, points in lines.items()
            if points
        }
        for update, lines in logged.items()
        if any(lines.values())
    }


def _panel(panel: Axes, title: str, lines: Mapping[str, Line], last: int) -> None:
    """One update: its terms, each with its name at its right end."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    low, high = _limits(lines)
    panel.set_ylim(low, high)
    ends: dict[str, float] = {}
    for (term, (steps, values)), colour in zip(lines.items(), _COLOURS * len(lines), strict=False):
        mean = _running_mean(values.clip(low, high))
        panel.plot(steps, values, color=colour, alpha=0.25, linewidth=0.8)
        panel.plot(steps, mean, color=colour, linewidth=1.8, solid_capstyle="round")
        ends[term] = (float(np.clip(mean[-1], low, high)) - low) / (high - low)
    for (term, height), colour in zip(_apart(ends).items(), _COLOURS * len(lines), strict=False):
        panel.text(
            1.02,
            height,
            term,
            transform=panel.transAxes,
            color=colour,
            va="center",
            fontsize=10,
            fontweight="bold",
        )
    panel.set_title(title, loc="left", fontsize=11, color=_INK)
    panel.set_xlim(0, max(1, last))
    panel.xaxis.set_major_formatter(EngFormatter(sep=""))
    panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    panel.yaxis.set_major_locator(MaxNLocator(5))
    panel.set_xlabel("step", fontsize=9, color=_PALE_INK)
    panel.tick_params(labelsize=9, labelcolor=_PALE_INK, length=0, labelbottom=True)
    panel.grid(color="#eaeef2", linewidth=0.8)
    panel.set_axisbelow(True)
    for side, spine in panel.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color("#d0d7de")


def _running_mean(values: np.ndarray) -> np.ndarray:
    """Mean over a centred window, a 25th of the line; at its ends, over the part that exists."""
    reach = len(values) // 50
    total = np.concatenate([[0.0], np.cumsum(values)])
    place = np.arange(len(values))
    first, end = np.maximum(place - reach, 0), np.minimum(place + reach + 1, len(values))
    return (total[end] - total[first]) / (end - first)


def _limits(lines: Mapping[str, Line]) -> tuple[float, float]:
    """The y limits that contain all logged values, except spikes, with a margin."""
    fences = []
    for _, values in lines.values():
        low, high = np.percentile(values, (2, 98))
        reach = (high - low) / 2
        fences.append((max(values.min(), low - reach), min(values.max(), high + reach)))
    low, high = float(min(low for low, _ in fences)), float(max(high for _, high in fences))
    air = 0.08 * (high - low) or max(0.1 * abs(high), 0.1)
    # losses that cannot be negative start at zero, if they come near it
    return (0.0 if 0 <= low < 0.5 * high else low - air), high + air


def _apart(heights: Mapping[str, float], space: float = 0.085) -> dict[str, float]:
    """Heights of labels in [0, 1], moved as little as needed to keep them from overlapping."""
    placed: dict[str, float] = {}
    floor = 0.0
    for name in sorted(heights, key=lambda name: heights[name]):
        placed[name] = max(heights[name], floor)
        floor = placed[name] + space
    ceiling = 1.0
    for name in reversed(placed):
        placed[name] = min(placed[name], ceiling)
        ceiling = placed[name] - space
    return {name: placed[name] for name in heights}


def _opaque(images: np.ndarray) -> np.ndarray:
    """Images (n, h, w, channels) with one or three channels; transparency is composited on
    white."""
    channels = images.shape[-1]
    if channels not in (1, 3, 4):
        raise ValueError(f"images to look at have 1, 3 or 4 channels, not {channels}")
    if channels < 4:
        return images
    colour, opacity = images[..., :3].astype(np.float32), images[..., 3:] / np.float32(255)
    return (colour * opacity + 255 * (1 - opacity)).round().astype(np.uint8)


def scale_of(number: int, width: int) -> int:
    """The scale that a sheet of so many images of this width gets by default."""
    return _scale(_columns(number), width)


def scale_of_pairs(number: int, width: int) -> int:
    """The scale that pairs of so many pictures of this width get by default."""
    return _scale(_abreast(number, width), width)


def _scale(columns: int, width: int) -> int:
    """The integer factor by which images of this width are enlarged to fill a row of the sheet."""
    return max(1, min(LARGEST_SCALE, int(WIDTH / (columns * (width + _GAP) + _GAP))))


def _columns(number: int) -> int:
    """Columns of a sheet a little wider than high, if possible without a gap in the last row."""
    least = math.ceil(math.sqrt(number))
    return next((c for c in range(least, 2 * least + 1) if number % c == 0), least)


def _indexed(frames: Sequence[Image.Image]) -> list[Image.Image]:
    """The frames with one palette of at most 256 colours, so that nothing flickers."""
    if all(frame.mode in ("L", "1") for frame in frames):
        # a few greys are indistinguishable from all of them, and compress better
        table = [round(value * (GREYS - 1) / 255) for value in range(256)]
        greys = [round(index * 255 / (GREYS - 1)) for index in range(GREYS) for _ in range(3)]
        found: list[Image.Image] = []
        for frame in frames:
            one = Image.frombytes("P", frame.size, frame.convert("L").point(table).tobytes())
            one.putpalette(greys)
            found.append(one)
        return found
    coloured = [frame.convert("RGB") for frame in frames]
    some = [*coloured[:: -(-len(frames) // 20)], coloured[-1]]
    # a sixteenth of the pixels has nearly all colours, and takes a sixteenth of the time
    pixels = np.concatenate([np.asarray(frame)[1::4, 1::4] for frame in some])
    palette = Image.fromarray(pixels).quantize(256)
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in coloured]
