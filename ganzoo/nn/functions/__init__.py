"""The code behind the functions of the core: pure functions of tensors, batch first.

What each is called, its formula and its source stand in `ganzoo.spec.functions`, in a module of
the same name.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from ganzoo.errors import PluginError
from ganzoo.spec import vocabulary

ELEMENTWISE = frozenset(
    {"minimum", "maximum", "power", "clip", "where", "lerp", "ramp", "cosine", "hinge", "mse", "l1"}
)
"""Functions of the core whose arguments are operands: of one shape, or some are numbers."""


def load(name: str) -> Callable[..., Any]:
    """The callable that an expression means by `name`.

    Raises:
        PluginError: no function has that name.
    """
    declared = vocabulary.function(name)
    if declared is None:
        raise PluginError(f"no function {name!r}; see `ganzoo plugins`")
    if declared.implementation is not None:
        return declared.load()
    return getattr(import_module(f"{__name__}.{declared.subject}"), name)
