"""Whom the language asks for words beyond the core's.

`ganzoo.spec` stands above the plugins, and imports nothing of them. The package itself, which
stands below both, says here once and before anything else what to ask; tests and hosts of their
own may say something else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

words: Callable[[], Any] | None = None
"""Gives a `ganzoo.spec.vocabulary.Vocabulary`; None leaves the core's words alone."""
