"""Sessions that start without copies of all components' configurations.

Gradio copies the configuration of every component into each session, for links that restore a
session. A program's request is a session of its own, and for the hundreds of components here these
copies take longer than drawing with a small model. The links of the demo hold settings instead
(`ganzoo.demo.address`), so nobody reads them; Gradio still makes one where a component is updated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class _App:
    """What a new session reads of an app: its default configuration, and no components to copy."""

    default_config: Any
    blocks: tuple[()] = ()


def lighten(app: Any) -> None:
    """From now on, sessions of a launched app start without those copies."""
    app.app.state_holder.blocks = _App(app.default_config)
