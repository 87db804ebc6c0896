"""The vocabulary of a Spec: functions, and kinds of layers, optimizers and states.

Plugins add words through the hooks `ganzoo_functions`, `ganzoo_layers`, `ganzoo_optimizers` and
`ganzoo_states`; the host merges them with the core's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ganzoo import extension
from ganzoo.spec.function import Function
from ganzoo.spec.functions import FUNCTIONS

if TYPE_CHECKING:
    from ganzoo.spec.layers import Layer
    from ganzoo.spec.optimizers import Optimizer
    from ganzoo.spec.state import State

Word = Literal["layers", "optimizers", "states"]
"""The parts of a vocabulary whose entries are classes with a `kind`."""


@dataclass(frozen=True)
class Vocabulary:
    """The functions by name, and the classes of layers, optimizers and states by kind.

    `providers` has the distribution that provides a word, by ("functions" or "layers", name);
    those of the core have none.
    """

    functions: Mapping[str, Function]
    layers: Mapping[str, type[Layer]]
    optimizers: Mapping[str, type[Optimizer]]
    states: Mapping[str, type[State]]
    providers: Mapping[tuple[str, str], str] = field(
        default_factory=lambda: dict[tuple[str, str], str]()
    )


def extend_with(words: Callable[[], Vocabulary] | None) -> Callable[[], Vocabulary] | None:
    """Set the function that `current()` calls for the words of plugins; returns the previous one.

    `import ganzoo` sets it to the host, which loads plugins when a word is not in the core. It
    applies to all threads of the process.
    """
    before, extension.words = extension.words, words
    return before


def current() -> Vocabulary:
    """The words of the core and of all plugins."""
    return extension.words() if extension.words else core()


def core() -> Vocabulary:
    """The words of the core."""
    from ganzoo.spec.layers import LAYERS
    from ganzoo.spec.optimizers import OPTIMIZERS
    from ganzoo.spec.state import STATES

    return Vocabulary(FUNCTIONS, LAYERS, OPTIMIZERS, STATES)


def function(name: str) -> Function | None:
    """The function of that name, or None; plugins are loaded only if the core has none."""
    return FUNCTIONS.get(name) or current().functions.get(name)


def kinds(word: Word) -> Mapping[str, type[Any]]:
    """All classes of the core and of plugins, by kind."""
    return getattr(current(), word)


def of_kind(word: Word, kind: str) -> type[Any] | None:
    """The class of that kind, or None; plugins are loaded only if the core has none."""
    return getattr(core(), word).get(kind) or kinds(word).get(kind)
