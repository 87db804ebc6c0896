"""Pictures to try a model on: of the data that it learnt from, or drawn by its neighbours.

Nothing is downloaded. Where the data are not at hand, models of the demo that learnt from the
same data draw examples, one of each class; where there are none, digits have to do.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import torch

from ganzoo.data import load
from ganzoo.data.catalog import find
from ganzoo.demo.model_registry import Entry, ModelRegistry
from ganzoo.demo.pages import generate
from ganzoo.errors import GanzooError
from ganzoo.models.images import image_tensor
from ganzoo.plugins.host import default
from ganzoo.spec.draws import Image, Label, Text

NUMBER = 10


class Examples:
    """Examples for each model, made at first use and kept."""

    def __init__(self, registry: ModelRegistry) -> None:
        self.registry = registry
        self._found: dict[tuple[str, str], np.ndarray] = {}
        self._lock = threading.Lock()

    def of(self, entry: Entry, draw: Image) -> np.ndarray:
        """Pictures for a model's draw: float32 (n, c, h, w) in [0, 1]; n may be 0.

        One of each class, in their order, where there are classes.
        """
        key = (str(entry.folder), draw.field)
        with self._lock:
            if key not in self._found:
                self._found[key] = self._look(entry, draw)
            return self._found[key]

    def _look(self, entry: Entry, draw: Image) -> np.ndarray:
        tries = [
            lambda: _real(entry.data, draw),
            lambda: self._drawn(entry.data, draw),
            lambda: _digits(draw),
        ]
        for look in tries:
            try:
                found = look()
            except GanzooError:
                continue
            if len(found) and found.shape[1:] == draw.shape:
                return found
        return np.zeros((0, *draw.shape), np.float32)

    def _drawn(self, data: str, draw: Image) -> np.ndarray:
        """Pictures by a model of the same data; classes that were left out, too."""
        base = data.partition(",")[0]
        for name in self.registry.names(generate.fits):
            entry = self.registry.entry(name)
            shapes = {d.shape for d in entry.spec.draws.values() if isinstance(d, Image)}
            if entry.data.partition(",")[0] == base and draw.shape in shapes:
                model = self.registry.model(name)
                classes = generate.classes(entry.spec)
                given: dict[str, Any] = {}
                if classes:
                    given["label"] = [index % classes.classes for index in range(NUMBER)]
                return model.generate(NUMBER, seed=7, output="pt", **given).numpy()
        return np.zeros((0, *draw.shape), np.float32)


def _digits(draw: Image) -> np.ndarray:
    """The bundled digits, as pictures of this draw are."""
    source = load("digits")
    some = source.batch("image", torch.arange(NUMBER)).add(1).div(2)
    return image_tensor(some, draw).add(1).div(2).numpy()


def _real(data: str, draw: Image) -> np.ndarray:
    """Test images of a data set, one of each class first."""
    declared = find(data, default().data) if not data.startswith("folder:") else None
    if declared is None or any(isinstance(d, Text) for d in declared.fields.fields.values()):
        # a folder is its owner's, and captions take minutes to be read
        return np.zeros((0, *draw.shape), np.float32)
    source = load(data, "test" if "test" in declared.splits else "train")
    labels = {f: d for f, d in source.fields.fields.items() if isinstance(d, Label)}
    number = source.length(draw.field)
    rows = list(range(min(NUMBER, number)))
    if draw.field == "image" and labels:
        field = next(iter(labels))
        told = source.batch(field, torch.arange(min(number, 2000))).numpy()
        _, first = np.unique(told, return_index=True)
        rows = [int(row) for row in first[:NUMBER]]
    images: Any = source.batch(draw.field, torch.tensor(rows)).add(1).div(2)
    return images.numpy()
