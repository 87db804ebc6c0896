"""The page Laboratory: a GAN in two dimensions, the same page that `ganzoo lab --export` writes."""

from __future__ import annotations

import html
import threading
from typing import Any

import gradio as gr

from ganzoo.demo.endpoints import once

TITLE = "Laboratory"
OPEN = """() => {
  const tab = () => [...document.querySelectorAll('[role="tab"]')].find(
    (found) => found.textContent.trim() === "Laboratory");
  if (location.hash.startsWith("#lab?") && tab()) tab().click();
}"""
"""Opens the page if the address is one of the laboratory."""


MAKING = threading.Lock()
"""Making the page takes seconds the first time, and is done once."""


def frame() -> str:
    """The laboratory in an iframe, so that its styles and the demo's do not interfere."""
    from ganzoo.lab.page import page  # the plan comes with seconds of torch's imports

    with MAKING:
        text = html.escape(page())
    return f'<iframe class="laboratory" title="GAN laboratory" srcdoc="{text}"></iframe>'


def page(opened: Any, app: gr.Blocks) -> None:
    """Fill the tab when it is first opened."""
    shown = gr.HTML(elem_id="laboratory", padding=False)
    once(opened, frame, [], [shown])
    app.load(None, None, None, js=OPEN)
