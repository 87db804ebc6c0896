"""Where the language looks up words beyond the core's, and networks of published models.

`ganzoo.spec` imports nothing of the plugins. The package's `__init__`, which may import both,
registers the look-ups here before anything else; tests and other hosts may register others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

words: Callable[[], Any] | None = None
"""Returns a `ganzoo.spec.vocabulary.Vocabulary`; None leaves only the core's words."""

published: Callable[[str, str], Mapping[str, Any]] | None = None
"""Returns a network of a published model as plain data, with its `origin`, by both names."""

weights: Callable[[Any], Mapping[str, Any]] | None = None
"""Returns the weights of an `Origin` as tensors by path, after comparing their hash."""

built: Callable[[Any], Any] | None = None
"""Returns the network of an `Origin` without its weights, as its model calls it; None if that model
is not at hand, or is not the one that the `Origin` names."""
