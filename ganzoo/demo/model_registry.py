"""The models of the demo: listed by their Specs, and loaded once, at first use."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganzoo import hub
from ganzoo.errors import GanzooError, UnknownNameError, choices, nearest
from ganzoo.models import store
from ganzoo.models.config import ModelConfig
from ganzoo.models.model import Model
from ganzoo.nn.build import parameter_count
from ganzoo.spec.spec import Spec

MOST_NUMBERS = 60_000_000
"""The most parameters of all models in memory; beyond it, the least recently used are dropped."""
MOST_KEPT = 8
"""The most models from live training; the oldest are dropped first."""


@dataclass(frozen=True)
class Entry:
    """A model of the demo, from its config.json; its weights need not be loaded."""

    name: str
    folder: Path
    spec: Spec
    config: ModelConfig = field(repr=False)

    @property
    def data(self) -> str:
        """The data set that it was trained on, with the classes that were left out."""
        return self.config.data.name


class ModelRegistry:
    """All models of the demo, by name.

    Args:
        names: models to list first: installed ones by name, or folders.
        bundled: also include all installed models.
        device: the device of all models.
    """

    def __init__(
        self, names: Iterable[str] = (), *, bundled: bool = True, device: str = "cpu"
    ) -> None:
        self.device = device
        self._entries: dict[str, Entry] = {}
        self._loaded: OrderedDict[str, tuple[Model, int]] = OrderedDict()
        self._loading: dict[str, threading.Lock] = {}
        self._kept: list[str] = []
        self._lock = threading.Lock()
        self.broken: dict[str, str] = {}
        for name in names:
            self._take(hub.resolve(name))
        self.first = tuple(self._entries)
        for name, folder in hub.installed().items() if bundled else ():
            if all(entry.folder != folder for entry in self._entries.values()):
                try:
                    self._take(folder)
                except GanzooError as error:  # one bad folder must not hide the others
                    self.broken[name] = str(error)

    def _take(self, folder: Path) -> Entry:
        config = store.read_config(folder)
        base = name = (config.name or folder.name)[:100]
        number = 1
        with self._lock:
            while name in self._entries:
                number += 1
                name = f"{base}-{number}"
            entry = self._entries[name] = Entry(name, folder, config.spec, config)
        return entry

    def keep(self, folder: Path) -> Entry:
        """Register a model that was trained here; it is available on all pages at once."""
        entry = self._take(folder)
        with self._lock:
            self._kept.append(entry.name)
            while len(self._kept) > MOST_KEPT:
                oldest = self._kept.pop(0)
                self._entries.pop(oldest, None)
                self._loaded.pop(oldest, None)
        return entry

    def names(self, fits: Callable[[Spec], bool]) -> list[str]:
        """The models that fit, in the order of the menus: given by name, trained here, then others.

        Among the others, those with classes come first, since their pages show the most.
        """
        with self._lock:
            entries = [entry for entry in self._entries.values() if fits(entry.spec)]
            kept = [*reversed(self._kept)]

        def place(entry: Entry) -> tuple[Any, ...]:
            if entry.name in self.first:
                return 0, self.first.index(entry.name), ""
            if entry.name in kept:
                return 1, kept.index(entry.name), ""
            classes = any(draw.kind == "label" for draw in entry.spec.draws.values())
            return 2, not classes, entry.name

        return [entry.name for entry in sorted(entries, key=place)]

    def entry(self, name: Any, fits: Callable[[Spec], bool] | None = None) -> Entry:
        """The model of that name.

        Raises:
            UnknownNameError: there is none, or `fits` excludes it.
        """
        word = name if isinstance(name, str) else type(name).__name__
        with self._lock:
            entry = self._entries.get(name) if isinstance(name, str) else None
        if entry is None or not (fits is None or fits(entry.spec)):
            can = self.names(fits or (lambda spec: True))
            raise UnknownNameError(
                f"no model {word[:100]!r} here{nearest(word[:100], can)} there is: {choices(can)}"
            )
        return entry

    def model(self, name: Any, fits: Callable[[Spec], bool] | None = None) -> Model:
        """The model of that name, loaded once, even for several requests at the same time."""
        entry = self.entry(name, fits)
        with self._lock:
            loading = self._loading.setdefault(entry.name, threading.Lock())
        with loading:
            with self._lock:
                if entry.name in self._loaded:
                    self._loaded.move_to_end(entry.name)
                    return self._loaded[entry.name][0]
            model = store.load(entry.folder, device=self.device)
            model.config = model.config.replace(name=entry.name)
            size = sum(parameter_count(net) for net in model.networks.values())
            with self._lock:
                self._loaded[entry.name] = (model, size)
                while len(self._loaded) > 1 and self.numbers > MOST_NUMBERS:
                    self._loaded.popitem(last=False)
            return model

    @property
    def numbers(self) -> int:
        """The number of parameters in memory."""
        return sum(size for _, size in self._loaded.values())

    @property
    def loaded(self) -> list[str]:
        """The models in memory, the least recently used first."""
        return list(self._loaded)
