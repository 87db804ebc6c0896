"""The drawing canvas, for mouse, finger or keys, and the conversion of drawings to model inputs."""

from __future__ import annotations

import base64
import binascii
import io
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image as pil

from ganzoo.errors import DataError

MOST_DRAWN = 400_000
"""The most characters of a drawing, which is sent as text."""
LARGEST_DRAWING = 1024
INKED = 5 / 7
"""The fraction of an MNIST picture that a digit fills: 20 of 28 pixels."""


def inked(drawing: Any, size: int, dark: bool) -> pil.Image:
    """A drawing as a picture of this size, centred, with the background of the data."""
    if not isinstance(drawing, str) or not drawing.startswith("data:image/png;base64,"):
        raise DataError("a drawing is a PNG as a data URL: data:image/png;base64,...")
    if len(drawing) > MOST_DRAWN:
        raise DataError(f"a drawing of {len(drawing):,} characters; at most {MOST_DRAWN:,}")
    try:
        content = base64.b64decode(drawing.partition(",")[2], validate=True)
        with pil.open(io.BytesIO(content), formats=["PNG"]) as file:
            if max(file.size) > LARGEST_DRAWING:
                raise DataError(
                    f"a drawing of {file.size[0]:,} x {file.size[1]:,} pixels; at most "
                    f"{LARGEST_DRAWING} x {LARGEST_DRAWING}"
                )
            ink = file.convert("RGBA").getchannel("A")
    except (binascii.Error, OSError, SyntaxError, ValueError) as error:
        raise DataError(f"the drawing cannot be read ({type(error).__name__})") from None
    box = ink.getbbox()
    if box is None:
        raise DataError("the canvas is empty; draw with the mouse or a finger")
    ink = ink.crop(box)
    factor = INKED * size / max(ink.size)
    shape = [max(1, round(side * factor)) for side in ink.size]
    ink = ink.resize((shape[0], shape[1]), pil.Resampling.LANCZOS)
    weights = np.asarray(ink, np.float64) + 1e-9
    # the centre of mass comes to the middle
    x, y = (
        round(size / 2 - (weights.sum(axis) * (np.arange(side) + 0.5)).sum() / weights.sum())
        for axis, side in ((0, shape[0]), (1, shape[1]))
    )
    canvas = pil.new("L", (size, size), 0)
    canvas.paste(ink, (x, y))
    return canvas if dark else canvas.point(lambda value: 255 - value)


# ------------------------------------------------------------------------------- the canvas

CANVAS = (
    '<canvas width="280" height="280" tabindex="0" role="application" aria-label="Draw here: with '
    "the mouse or a finger; or with the arrow keys, where the space bar sets the pen down and "
    'lifts it"></canvas>'
)
STYLE = """canvas { touch-action: none; cursor: crosshair; border-radius: 6px; max-width: 100%;
  background: #000; display: block; margin: 0 auto; }
.pen { display: none; position: absolute; width: 12px; height: 12px; border: 2px solid #5eead4;
  border-radius: 50%; transform: translate(-50%, -50%); pointer-events: none; left: 50%; top: 50%; }
canvas:focus-visible + .pen { display: block; }"""
PEN = """
const canvas = element.querySelector('canvas'), pen = canvas.getContext('2d');
pen.lineWidth = 22; pen.lineCap = pen.lineJoin = 'round'; pen.strokeStyle = '#fff';
let down = false;
const place = event => {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) * canvas.width / box.width,
          (event.clientY - box.top) * canvas.height / box.height];
};
canvas.addEventListener('pointerdown', event => {
  down = true; canvas.setPointerCapture(event.pointerId);
  pen.beginPath(); pen.moveTo(...place(event)); pen.lineTo(...place(event)); pen.stroke();
});
canvas.addEventListener('pointermove', event => {
  if (down) { pen.lineTo(...place(event)); pen.stroke(); }
});
for (const end of ['pointerup', 'pointercancel'])
  canvas.addEventListener(end, () => { down = false; });
let at = [140, 140], set = false;
const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
canvas.addEventListener('keydown', event => {
  const way = ways[event.key];
  if (!way && event.key !== ' ') return;
  event.preventDefault();
  if (!way) set = !set;
  const to = way ? at.map((value, axis) => Math.max(0, Math.min(280, value + 10 * way[axis]))) : at;
  if (set) { pen.beginPath(); pen.moveTo(...at); pen.lineTo(...to); pen.stroke(); }
  at = to;
  const square = canvas.getBoundingClientRect(), unit = square.width / 280;
  mark.style.left = `${canvas.offsetLeft + at[0] * unit}px`;
  mark.style.top = `${canvas.offsetTop + at[1] * unit}px`;
  mark.style.background = set ? '#fff' : 'transparent';
});
const mark = document.createElement('i');
mark.className = 'pen';
canvas.after(mark);
"""


def tab(name: str, label: str, elem_id: str) -> tuple[gr.Textbox, gr.Button]:
    """Lay out a canvas, a button that clears it, and one with a label that uses the drawing.

    Args:
        name: the id of the canvas, and what `taken` is given.

    Returns the hidden text that the drawing is sent as, and the second button.
    """
    gr.HTML(html_template=CANVAS, css_template=STYLE, js_on_load=PEN, elem_id=name)
    drawing = gr.Textbox(label="Drawing", visible=False)
    with gr.Row():
        clear = gr.Button("Clear", min_width=100)
        use = gr.Button(label, variant="primary", min_width=100, elem_id=elem_id)
    clear.click(None, js=_cleared(name), api_visibility="private")
    return drawing, use


def taken(name: str) -> str:
    """A script that replaces the last of its values by the drawing on a canvas."""
    return (
        "(...values) => [...values.slice(0, -1), "
        f"document.querySelector('#{name} canvas').toDataURL()]"
    )


def _cleared(name: str) -> str:
    """A script that clears a canvas."""
    return (
        f"() => {{ const canvas = document.querySelector('#{name} canvas');\n"
        "  canvas.getContext('2d').clearRect(0, 0, canvas.width, canvas.height); }"
    )
