"""The code of the core's functions: pure functions of tensors, batch first.

Their names, formulas and sources are declared in `ganzoo.spec.functions`, in a module of the same
name.
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
    """The callable for a function name in an expression.

    Raises:
        PluginError: no function has that name.
    """
    declared = vocabulary.function(name)
    if declared is None:
        raise PluginError(f"no function {name!r}; see `ganzoo plugins`")
    if declared.implementation is not None:
        return declared.load()
    return getattr(import_module(f"{__name__}.{declared.subject}"), name)
