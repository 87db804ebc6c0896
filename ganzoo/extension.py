"""Whom the language asks for words beyond the core's, and for networks of published models.

`ganzoo.spec` stands above the plugins, and imports nothing of them. The package itself, which
stands below both, says here once and before anything else what to ask; tests and hosts of their
own may say something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

words: Callable[[], Any] | None = None
"""Gives a `ganzoo.spec.vocabulary.Vocabulary`; None leaves the core's words alone."""

published: Callable[[str, str], Mapping[str, Any]] | None = None
"""Gives a network of a published model as plain data, with its `origin`, by both names."""

weights: Callable[[Any], Mapping[str, Any]] | None = None
"""Gives the weights of an `Origin` as tensors by path, once their hash has been compared."""
