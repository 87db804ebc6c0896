"""The host: finds plugins, isolates broken ones, and lists what each provides.

A plugin is a module behind an entry point of the group `ganzoo`. If it raises at import, misspells
a hook or requires another version of ganzoo, it is left out as a whole and listed with the reason,
and nothing else is affected.

The order of installation decides nothing. ganzoo's own names stay ganzoo's. Of several plugins that
provide one name, or have one entry point, the one of `FIRST_PARTY` is loaded and the others are
left out; if there is none, all of them are, until GANZOO_PLUGINS says which one to load.

The environment variable GANZOO_PLUGINS names the plugins to load, by entry point or by
distribution, separated by commas; if empty, none. `ganzoo --no-plugins` sets it to empty.
"""

from __future__ import annotations

import inspect
import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from typing import Any

import pluggy

from ganzoo.data.catalog import DATASETS, DataSet
from ganzoo.errors import PluginError, UnknownNameError, choices, nearest
from ganzoo.layout import CONFIG
from ganzoo.metrics.metric import CORE, Metric
from ganzoo.plugins import hookspecs
from ganzoo.plugins.isolation import (
    Found,
    captured,
    installed,
    raised_by_stranger,
    reason,
    telling_interrupts,
)
from ganzoo.spec import vocabulary as words
from ganzoo.spec.layers import LAYERS, Layer
from ganzoo.spec.losses.loss import LOSSES, Loss
from ganzoo.spec.optimizers import OPTIMIZERS, Optimizer
from ganzoo.spec.state import STATES, State
from ganzoo.spec.variant import Variant
from ganzoo.spec.vocabulary import Function, Vocabulary
from ganzoo.trackers import TRACKERS, Tracker
from ganzoo.version import DISTRIBUTION, version

GROUP = "ganzoo"
FIRST_PARTY = {
    "ganzoo-anomaly", "ganzoo-avatars", "ganzoo-began", "ganzoo-bigan", "ganzoo-biggan",
    "ganzoo-browser",
    "ganzoo-core", "ganzoo-dcgan", "ganzoo-discogan", "ganzoo-emoji", "ganzoo-fluent",
    "ganzoo-gan", "ganzoo-ganomaly", "ganzoo-infogan", "ganzoo-models", "ganzoo-r3gan",
    "ganzoo-solar", "ganzoo-stackgan", "ganzoo-stylegan", "ganzoo-translation", "ganzoo-vaegan",
    "ganzoo-wgan",
}  # fmt: skip
"""The distributions of this repository: the names that they provide are theirs."""
CHOICE = "GANZOO_PLUGINS"
SLOW = 1.0
"""Seconds of import time above which `ganzoo plugins` shows them."""
WAY_OUT = f"`ganzoo --no-plugins ...` does without all, {CHOICE}=NAME,NAME loads these alone"
_SINGULAR = {
    "variants": "variant",
    "functions": "function",
    "losses": "loss",
    "layers": "layer",
    "optimizers": "optimizer",
    "states": "state",
    "metrics": "metric",
    "trackers": "tracker",
}
_BY_KIND = {"layers", "optimizers", "states"}
"""The words that are classes with a `kind`."""


@dataclass
class Plugin:
    """A plugin as `ganzoo plugins` lists it.

    `name` is that of its entry point, `problem` why it is not loaded (empty for one that works),
    `seconds` the time of its import, `printed` what it wrote to standard output meanwhile. A plugin
    that GANZOO_PLUGINS does not name is `left_out`.
    """

    name: str
    distribution: str
    version: str
    brings: dict[str, list[str]] = field(default_factory=lambda: dict[str, list[str]]())
    problem: str = ""
    seconds: float = 0.0
    left_out: bool = False
    printed: str = ""

    @property
    def slow(self) -> bool:
        return self.seconds >= SLOW

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".strip()


@dataclass(frozen=True)
class _Item:
    """One thing that a plugin provides, and the table of the host that it belongs in."""

    word: str
    room: dict[str, Any]
    name: str
    value: Any


class Host:
    """All plugins and what they provide by name: variants, losses, data, metrics, words.

    Args:
        entry_points: those that were found, or each with its distribution, in the order of
            loading.
        chosen: names of the plugins to load, of their entry points or distributions; None: all.
    """

    def __init__(
        self,
        entry_points: Iterable[Found | tuple[Distribution | None, EntryPoint]] = (),
        chosen: Iterable[str] | None = None,
    ) -> None:
        self.plugins: list[Plugin] = []
        self.variants: dict[str, type[Variant]] = {}
        self.functions: dict[str, Function] = dict(words.FUNCTIONS)
        self.losses: dict[str, Loss] = dict(LOSSES)
        self.layers: dict[str, type[Layer]] = dict(LAYERS)
        self.optimizers: dict[str, type[Optimizer]] = dict(OPTIMIZERS)
        self.states: dict[str, type[State]] = dict(STATES)
        self.data: dict[str, DataSet] = dict(DATASETS)
        self.models: dict[str, Path] = {}
        self.metrics: dict[str, Metric] = {}
        self.trackers: dict[str, Tracker] = dict(TRACKERS)
        self.providers: dict[tuple[str, str], str] = {}
        chosen = None if chosen is None else {_plain(name): name for name in chosen}
        known: set[str] = set()
        wanted: list[tuple[Plugin, Found]] = []
        for found in self._listed(entry_points):
            point = found.entry_point
            plugin = Plugin(str(point.name) if point else "", found.name, found.version)
            self.plugins.append(plugin)
            names = {_plain(plugin.name), _plain(plugin.distribution)} - {""}
            known |= names
            if chosen is not None and not names & set(chosen):
                plugin.left_out = True
            elif found.problem:
                plugin.problem = found.problem
            else:
                wanted.append((plugin, found))
        one_name = _by(((plugin.name, plugin) for plugin, _ in wanted))
        for name, plugins in one_name.items():
            _settle(plugins, f"an entry point {name!r}")
        brought: list[tuple[Plugin, list[_Item]]] = []
        with telling_interrupts():
            for plugin, found in wanted:
                if not plugin.problem:
                    brought.append((plugin, self._brought(plugin, found)))
        claims = _by(
            (((item.word, item.name), plugin) for plugin, items in brought for item in items)
        )
        for (word, name), plugins in claims.items():
            _settle(plugins, f"{_SINGULAR.get(word, word)} {name!r}")
        for plugin, items in brought:
            if not plugin.problem:
                self._take(plugin, items)
        for name in (chosen or {}).keys() - known:
            problem = f"{CHOICE} names it, and no such plugin is installed"
            near = nearest(name, known).removesuffix(";")
            self.plugins.append(Plugin(name, (chosen or {})[name], "", problem=problem + near))

    @staticmethod
    def _listed(
        entry_points: Iterable[Found | tuple[Distribution | None, EntryPoint]],
    ) -> Iterator[Found]:
        for one in entry_points:
            if isinstance(one, Found):
                yield one
            else:
                distribution, point = one
                name = str(distribution.metadata["Name"]) if distribution else point.value
                number = distribution.version if distribution else ""
                yield Found(name, number, point, distribution)

    def _brought(self, plugin: Plugin, found: Found) -> list[_Item]:
        """What a plugin provides; if it is broken, nothing and the reason."""
        assert found.entry_point is not None
        items: list[_Item] = []
        with captured() as printed:
            try:
                if found.distribution:
                    _check_version(found.distribution)
                before = time.perf_counter()
                try:
                    module = found.entry_point.load()
                finally:
                    plugin.seconds = time.perf_counter() - before
                items = self._items(plugin, module)
            except BaseException as error:
                if not raised_by_stranger(error):
                    raise
                plugin.problem = reason(error)
        plugin.printed = printed.text
        return items

    def register(self, module: object, name: str = "") -> Plugin:
        """Add a plugin by hand, for tests and notebooks; PluginError if it is broken."""
        name = name or getattr(module, "__name__", type(module).__name__)
        plugin = Plugin(name, name, "")
        self._take(plugin, self._items(plugin, module))
        self.plugins.append(plugin)
        return plugin

    def _items(self, plugin: Plugin, module: object) -> list[_Item]:
        """Everything that a plugin provides; PluginError if some of it cannot be accepted."""
        # a manager of its own, so that one plugin's mistake does not affect the others
        manager = pluggy.PluginManager(GROUP)
        manager.add_hookspecs(hookspecs)
        try:
            manager.register(module, plugin.name)
            manager.check_pending()
        except pluggy.PluginValidationError as error:
            hooks = [name for name in vars(hookspecs) if name.startswith("ganzoo_")]
            wrong = _unknown_hook(module, hooks)
            raise PluginError(
                f"no hook {wrong!r}{nearest(wrong, hooks)} hooks: {choices(hooks)}"
                if wrong
                else str(error)
            ) from None
        for name in (name for name in vars(hookspecs) if name.startswith("ganzoo_")):
            function = getattr(module, name, None)
            if inspect.isroutine(function) and not hasattr(function, "ganzoo_impl"):
                raise PluginError(f"{name} is not marked; write @ganzoo.hookimpl above it")
        doors = manager.hook
        rooms: list[tuple[str, dict[str, Any], type, Any]] = [
            ("variants", self.variants, Variant, doors.ganzoo_variants),
            ("functions", self.functions, Function, doors.ganzoo_functions),
            ("losses", self.losses, Loss, doors.ganzoo_losses),
            ("layers", self.layers, Layer, doors.ganzoo_layers),
            ("optimizers", self.optimizers, Optimizer, doors.ganzoo_optimizers),
            ("states", self.states, State, doors.ganzoo_states),
            ("data", self.data, DataSet, doors.ganzoo_data),
            ("metrics", self.metrics, Metric, doors.ganzoo_metrics),
            ("trackers", self.trackers, Tracker, doors.ganzoo_trackers),
        ]
        found: list[_Item] = []
        for word, room, kind, hook in rooms:
            for item in (item for brought in hook() for item in brought):
                _check_kind(word, item, kind)
                name = _kind(item) if word in _BY_KIND else item.name
                if not isinstance(name, str):
                    raise PluginError(f"ganzoo_{word}: the name {name!r} is not text")
                taken = any(one.word == word and one.name == name for one in found)
                if name in room or taken or (word == "metrics" and name in CORE):
                    owner = self.providers.get((word, name), "this plugin" if taken else "ganzoo")
                    what = _SINGULAR.get(word, word)
                    raise PluginError(
                        f"it brings {what} {name!r}, and {owner} has one of that name; "
                        "uninstall one of them, or rename it"
                    )
                found.append(_Item(word, room, name, item))
        return found + self._models(doors.ganzoo_models())

    def _take(self, plugin: Plugin, items: list[_Item]) -> None:
        """Add what a plugin provides to the tables."""
        for item in items:
            item.room[item.name] = item.value
            self.providers[item.word, item.name] = plugin.distribution
            plugin.brings.setdefault(item.word, []).append(item.name)

    def _models(self, brought: Iterable[Iterable[Path]]) -> list[_Item]:
        """The model folders inside the folders that a pack of models names."""
        found: dict[str, Path] = {}
        for pack in (Path(pack) for packs in brought for pack in packs):
            if not pack.is_dir():
                raise PluginError(f"ganzoo_models names {str(pack)!r}, and there is no such folder")
            for config in sorted(pack.glob(f"*/{CONFIG}")):
                name = config.parent.name
                if name in found or name in self.models:
                    owner = self.providers.get(("models", name), "this plugin")
                    raise PluginError(
                        f"it brings model {name!r}, and {owner} has one of that name; "
                        "uninstall one of them, or rename it"
                    )
                found[name] = config.parent
        return [_Item("models", self.models, name, folder) for name, folder in found.items()]

    @property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self.functions, self.layers, self.optimizers, self.states, self.providers)

    @property
    def broken(self) -> list[Plugin]:
        return [plugin for plugin in self.plugins if plugin.problem]

    def variant(self, name: str) -> type[Variant]:
        """The variant of that name; UnknownNameError with the nearest match and broken plugins."""
        if name not in self.variants:
            raise UnknownNameError(
                f"no variant {name!r}{nearest(name, self.variants)} there is: "
                f"{choices(self.variants)}{self.not_loaded()}"
            )
        return self.variants[name]

    def loss(self, name: str) -> Loss:
        """The loss of that name; UnknownNameError with the nearest match and broken plugins."""
        if name not in self.losses:
            raise UnknownNameError(
                f"no loss {name!r}{nearest(name, self.losses)} there is: "
                f"{choices(self.losses)}{self.not_loaded()}"
            )
        return self.losses[name]

    def not_loaded(self) -> str:
        """Lines for an error about an unknown name: which plugins are broken or left out."""
        lines = ""
        if self.broken:
            broken = "; ".join(f"{plugin} ({plugin.problem})" for plugin in self.broken)
            lines += f"\n  not loaded: {broken}; see `ganzoo plugins`. {WAY_OUT}"
        if left_out := [plugin.distribution for plugin in self.plugins if plugin.left_out]:
            lines += f"\n  left out, since {CHOICE} does not name them: {', '.join(left_out)}"
        return lines


def _check_kind(word: str, item: Any, kind: type) -> None:
    if word in {"variants", *_BY_KIND}:
        fits, what = inspect.isclass(item) and issubclass(item, kind), "a subclass of "
    else:
        fits, what = isinstance(item, kind), "a "
    if not fits:
        raise PluginError(f"ganzoo_{word} must give {what}{kind.__name__}, not {item!r}")
    if word == "variants" and not isinstance(getattr(item, "name", None), str):
        raise PluginError(f'variant {item.__name__} has no name; add: name = "..."')
    if word in _BY_KIND and not isinstance(_kind(item), str):
        what = _SINGULAR[word]
        raise PluginError(f'{what} {item.__name__} has no kind; add: kind: Literal["..."] = "..."')


def _kind(layer: Any) -> Any:
    return layer.model_fields["kind"].default


def _unknown_hook(module: object, hooks: list[str]) -> str:
    """The first function marked as a hook that does not exist."""
    for name in dir(module):
        if (
            name.startswith("ganzoo_")
            and name not in hooks
            and inspect.isroutine(getattr(module, name))
        ):
            return name
    return ""


def _by(pairs: Iterable[tuple[Any, Plugin]]) -> dict[Any, list[Plugin]]:
    """Plugins by the names that they provide."""
    found: dict[Any, list[Plugin]] = {}
    for key, plugin in pairs:
        found.setdefault(key, []).append(plugin)
    return found


def _settle(plugins: list[Plugin], what: str) -> None:
    """Leave out plugins that provide the same name and have no precedence."""
    if len(plugins) < 2:
        return
    owners = [plugin for plugin in plugins if _plain(plugin.distribution) in FIRST_PARTY]
    for plugin in plugins:
        others = [str(other) for other in plugins if other is not plugin]
        if owners == [plugin] or plugin.problem:
            continue
        whose = f"it is {owners[0]}'s" if len(owners) == 1 else "so it is neither's"
        plugin.problem = (
            f"it brings {what}, and so does {' and '.join(others)}; {whose}. Uninstall or rename "
            f"one, or name the one to load: {CHOICE}={plugin.distribution}"
        )


def _plain(name: str) -> str:
    """A normalized name: distributions may be written with -, _ or capitals."""
    return name.strip().replace("_", "-").replace(".", "-").lower()


def _check_version(distribution: Distribution) -> None:
    """PluginError if the plugin requires another ganzoo version."""
    requires = distribution.requires or []
    if not any(_plain(text).startswith("ganzoo") for text in requires):
        return
    from packaging.requirements import Requirement  # slow to import, and rarely needed

    here = version()
    if here == "0":  # run from a folder, without having been installed
        return
    for text in requires:
        wanted = Requirement(text)
        if _plain(wanted.name) not in {DISTRIBUTION, "ganzoo"} or (
            wanted.marker and not wanted.marker.evaluate()
        ):
            continue
        if not wanted.specifier.contains(here, prereleases=True):
            raise PluginError(
                f"it requires {wanted.name}{wanted.specifier}, and this is {DISTRIBUTION} {here}; "
                f"pip install --upgrade {DISTRIBUTION} {distribution.metadata['Name']}"
            )


def discover() -> Host:
    """The host with every installed plugin, in the order of distribution and entry name.

    Only the plugins that GANZOO_PLUGINS names, if it is set.
    """
    choice = os.environ.get(CHOICE)
    chosen = None if choice is None else [name for name in choice.split(",") if name.strip()]
    return Host(installed(GROUP), chosen)


_lock = threading.RLock()
_host: Host | None = None
_loading: int | None = None
"""The thread that loads the plugins."""


def default() -> Host:
    """The host of this process; plugins are loaded once, at first use.

    Other threads that need it meanwhile wait.
    """
    global _host, _loading
    if _host is None:
        with _lock:
            if _loading is not None:
                raise PluginError("it uses the host while plugins load; use it in functions only")
            if _host is None:
                _loading = threading.get_ident()
                try:
                    _host = discover()
                finally:
                    _loading = None
    return _host


def loaded() -> Host | None:
    """The host of this process, if its plugins are loaded."""
    return _host


def forget() -> None:
    """Load plugins again at the next use."""
    global _host
    with _lock:
        _host = None


def vocabulary() -> Vocabulary:
    """The words of the core and of all plugins; while plugins load, only the core's."""
    return words.core() if _loading == threading.get_ident() else default().vocabulary
