"""Pictures to try a model on: of the data that it learnt from, or drawn by its neighbours.

Nothing is downloaded. Where the data are not at hand, models of the demo that learnt from the
same data draw examples, one of each class; where there are none, digits have to do. A model that
scores gets a picture of what it never saw first, and one that it flags.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
CANDIDATES = 40
"""Pictures of what a model never saw, of which the first that it flags is shown."""

NEXT = "Another picture"
"""The main button of pages with examples: it takes the next one."""
Flags = Callable[[np.ndarray], Sequence[bool] | np.ndarray | None]
"""Which of the images (n, c, h, w) a model calls strange; None where it has no threshold."""


@dataclass(frozen=True)
class Shown:
    """Examples, and what each is called: the name of its class, or nothing.

    Args:
        images: float32 (n, c, h, w) in [0, 1]. names: one for each.
        flagged: where there are candidates for a strange one: how many of them are flagged, of
            how many.
        strange: what the candidates are, in words.
    """

    images: np.ndarray
    names: tuple[str, ...]
    flagged: tuple[int, int] | None = None
    strange: str = ""


@dataclass(frozen=True)
class _Pool:
    """Pictures by class, and those of the classes that were left out of training."""

    images: np.ndarray
    classes: tuple[int, ...]
    label: Label | None
    left_out: np.ndarray
    left_out_classes: tuple[int, ...]

    def names(self, classes: Sequence[int]) -> tuple[str, ...]:
        if self.label is None:
            return ("",) * len(classes)
        known = self.label.names or tuple(map(str, range(self.label.classes)))
        return tuple(known[one] for one in classes)


class Examples:
    """Examples for each model, made at first use and kept."""

    def __init__(self, registry: ModelRegistry) -> None:
        self.registry = registry
        self._pools: dict[tuple[str, str], _Pool] = {}
        self._with_strange: dict[tuple[str, str], Shown] = {}
        self._lock = threading.Lock()

    def of(self, entry: Entry, draw: Image) -> np.ndarray:
        """Pictures for a model's draw: float32 (n, c, h, w) in [0, 1]; n may be 0.

        One of each class, in their order, where there are classes.
        """
        return self.named(entry, draw).images

    def named(self, entry: Entry, draw: Image) -> Shown:
        """The pictures of `of`, with the names of their classes."""
        with self._lock:
            pool = self._pool(entry, draw)
        return Shown(pool.images, pool.names(pool.classes))

    def dark(self, entry: Entry, draw: Image) -> bool:
        """Whether the pictures of a model's draw stand on a dark ground, as digits do."""
        known = self.of(entry, draw)
        return not len(known) or float(np.median(known[:, :, 0])) < 0.5

    def with_strange(self, entry: Entry, draw: Image, flags: Flags) -> Shown:
        """Examples of which the first is strange to the model and flagged, where one is found.

        Candidates are pictures of the classes that were left out of training; where none were,
        pictures of other data, as models of the demo draw them. Then comes one of each class
        that it learnt.
        """
        key = (str(entry.folder), draw.field)
        with self._lock:
            if key in self._with_strange:
                return self._with_strange[key]
            pool = self._pool(entry, draw)
            candidates, named = self._candidates(entry, draw, pool)
            candidates = np.round(candidates * 255) / np.float32(255)  # as files hold them
            flagged = flags(candidates) if len(candidates) else None
            kept = [i for i, one in enumerate(pool.classes) if one not in pool.left_out_classes]
            images, names = pool.images[kept], pool.names([pool.classes[i] for i in kept])
            found = Shown(images, names)
            if flagged is not None:
                which = np.flatnonzero(np.asarray(flagged))
                first = [candidates[which[0] : which[0] + 1]] if len(which) else []
                found = Shown(
                    np.concatenate([*first, images])[:NUMBER],
                    ((f"{named}, never seen",) if len(which) else ())
                    + names[: NUMBER - len(first)],
                    (len(which), len(candidates)),
                    named,
                )
            self._with_strange[key] = found
            return found

    def _candidates(self, entry: Entry, draw: Image, pool: _Pool) -> tuple[np.ndarray, str]:
        """Pictures that the model should call strange, and what they are."""
        if len(pool.left_out):
            return pool.left_out, " or ".join(pool.names(pool.left_out_classes))
        for name in self.registry.names(generate.fits):
            other = self.registry.entry(name)
            apart = _base(other.data) != _base(entry.data) and other.data and entry.data
            if apart and draw.shape in _shapes(other):
                model = self.registry.model(name)
                found = model.generate(CANDIDATES, seed=7, output="pt").numpy()
                if found.shape[1:] == draw.shape:
                    return found, _base(other.data)
        return np.zeros((0, *draw.shape), np.float32), ""

    def _pool(self, entry: Entry, draw: Image) -> _Pool:
        key = (str(entry.folder), draw.field)
        if key not in self._pools:
            self._pools[key] = self._look(entry, draw)
        return self._pools[key]

    def _look(self, entry: Entry, draw: Image) -> _Pool:
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
            if found is not None and len(found.images) and found.images.shape[1:] == draw.shape:
                return found
        return _unnamed(np.zeros((0, *draw.shape), np.float32))

    def _drawn(self, data: str, draw: Image) -> _Pool | None:
        """Pictures by a model of the same data; classes that were left out, too."""
        for name in self.registry.names(generate.fits):
            entry = self.registry.entry(name)
            if _base(entry.data) != _base(data) or draw.shape not in _shapes(entry):
                continue
            model = self.registry.model(name)
            label = generate.classes(entry.spec)
            if label is None:
                return _unnamed(model.generate(NUMBER, seed=7, output="pt").numpy())
            classes = [index % label.classes for index in range(NUMBER)]
            left_out = _left_out(data, label)
            images = model.generate(NUMBER, seed=7, output="pt", label=classes).numpy()
            strange = np.zeros((0, *draw.shape), np.float32)
            if left_out:
                wanted = [left_out[index % len(left_out)] for index in range(CANDIDATES)]
                strange = model.generate(CANDIDATES, seed=8, output="pt", label=wanted).numpy()
            return _Pool(images, tuple(classes), label, strange, left_out)
        return None


def _base(data: str) -> str:
    """The name of a data set without its options."""
    return data.partition(",")[0]


def _shapes(entry: Entry) -> set[tuple[int, int, int]]:
    return {draw.shape for draw in entry.spec.draws.values() if isinstance(draw, Image)}


def _unnamed(images: np.ndarray) -> _Pool:
    return _Pool(images, (-1,) * len(images), None, images[:0], ())


def _left_out(data: str, label: Label) -> tuple[int, ...]:
    """The classes that the name of a data set leaves out of training."""
    _, _, words = data.partition(",without=")
    found: list[int] = []
    for word in filter(None, words.split("+")):
        if word in label.names:
            found.append(label.names.index(word))
        elif word.isascii() and word.isdigit() and int(word) < label.classes:
            found.append(int(word))
    return tuple(sorted(set(found)))


def _digits(draw: Image) -> _Pool:
    """The bundled digits, as pictures of this draw are."""
    source = load("digits")
    some = source.batch("image", torch.arange(NUMBER)).add(1).div(2)
    return _unnamed(image_tensor(some, draw).add(1).div(2).numpy())


def _real(data: str, draw: Image) -> _Pool | None:
    """Test images of a data set, one of each class first."""
    declared = find(data, default().data) if not data.startswith("folder:") else None
    if declared is None or any(isinstance(d, Text) for d in declared.fields.fields.values()):
        return None  # a folder is its owner's, and captions take minutes to be read
    source = load(data, "test" if "test" in declared.splits else "train")
    labels = {f: d for f, d in source.fields.fields.items() if isinstance(d, Label)}
    number = source.length(draw.field)

    def pictures(rows: Sequence[int]) -> np.ndarray:
        images: Any = source.batch(draw.field, torch.tensor(rows, dtype=torch.long))
        return images.add(1).div(2).numpy()

    if draw.field != "image" or not labels:
        return _unnamed(pictures(range(min(NUMBER, number))))
    field, label = next(iter(labels.items()))
    told = source.batch(field, torch.arange(min(number, 2000))).numpy()
    _, first = np.unique(told, return_index=True)
    rows = [int(row) for row in first[:NUMBER]]
    left_out = _left_out(data, label)
    strange = [int(row) for row in np.flatnonzero(np.isin(told, left_out))[:CANDIDATES]]
    none = np.zeros((0, *draw.shape), np.float32)
    return _Pool(
        pictures(rows), tuple(int(told[row]) for row in rows), label,
        pictures(strange) if strange else none, left_out,
    )  # fmt: skip
