"""The words that expressions and networks may use: functions, kinds of layers, ...

The core's functions are declared here, without torch; their code is in
`ganzoo.nn.functions` and loads when something runs. Plugins add words through the
hooks `ganzoo_functions`, `ganzoo_layers`, `ganzoo_optimizers` and `ganzoo_states`; the host
joins them to the core's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ganzoo.errors import PluginError
from ganzoo.spec.function import Function
from ganzoo.spec.functions import FUNCTIONS

if TYPE_CHECKING:
    from ganzoo.spec.layers import Layer
    from ganzoo.spec.optimizers import Optimizer
    from ganzoo.spec.state import State


@dataclass(frozen=True)
class Vocabulary:
    """The functions by name, and the classes of layers, optimizers and states by kind.

    `providers` names the distributions that bring them, by ("functions" or "layers", name);
    the core's own have none.
    """

    functions: Mapping[str, Function]
    layers: Mapping[str, type[Layer]]
    optimizers: Mapping[str, type[Optimizer]]
    states: Mapping[str, type[State]]
    providers: Mapping[tuple[str, str], str] = field(
        default_factory=lambda: dict[tuple[str, str], str]()
    )


_extension: Callable[[], Vocabulary] | str = "ganzoo.plugins.host:vocabulary"


def extend_with(extension: Callable[[], Vocabulary] | str) -> Callable[[], Vocabulary] | str:
    """Let `current()` ask `extension` for words beyond the core's; returns what it asked before.

    By default it asks the host, which stands below this module and loads at the first word
    that the core does not know.
    """
    global _extension
    before, _extension = _extension, extension
    return before


def current() -> Vocabulary:
    """The core's words and those of the plugins that the host found."""
    if callable(_extension):
        return _extension()
    module, _, attribute = _extension.partition(":")
    return getattr(import_module(module), attribute)()


def core() -> Vocabulary:
    """The core's words alone."""
    from ganzoo.spec.layers import LAYERS
    from ganzoo.spec.optimizers import OPTIMIZERS
    from ganzoo.spec.state import STATES

    return Vocabulary(FUNCTIONS, LAYERS, OPTIMIZERS, STATES)


def function(name: str) -> Function | None:
    """The function of that name: the core's at once, a plugin's once the host has looked."""
    return FUNCTIONS.get(name) or current().functions.get(name)


def layer(kind: str) -> type[Layer] | None:
    """The class of layers of that kind: the core's at once, a plugin's once the host has looked."""
    return core().layers.get(kind) or current().layers.get(kind)


def load(name: str) -> Callable[..., Any]:
    """The callable of that name."""
    declared = function(name)
    if declared is None:
        raise PluginError(f"no function {name!r}; see `ganzoo plugins`")
    return declared.load()
