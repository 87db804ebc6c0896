"""The hooks for plugins. A plugin implements any of them with `@ganzoo.hookimpl`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from pathlib import Path

    from ganzoo.data.catalog import DataSet
    from ganzoo.metrics.metric import Metric
    from ganzoo.spec.layers import Layer
    from ganzoo.spec.losses.loss import Loss
    from ganzoo.spec.optimizers import Optimizer
    from ganzoo.spec.state import State
    from ganzoo.spec.variant import Variant
    from ganzoo.spec.vocabulary import Function
    from ganzoo.trackers.tracker import Tracker

hookspec = pluggy.HookspecMarker("ganzoo")
hookimpl = pluggy.HookimplMarker("ganzoo")


@hookspec
def ganzoo_variants() -> Iterable[type[Variant]]:  # type: ignore[empty-body]
    """Variants: subclasses of `ganzoo.Variant`, each with its own `name`."""


@hookspec
def ganzoo_functions() -> Iterable[Function]:  # type: ignore[empty-body]
    """Functions that expressions can call: `ganzoo.Function.of(my_loss, formula=...)`."""


@hookspec
def ganzoo_losses() -> Iterable[Loss]:  # type: ignore[empty-body]
    """Losses for `--loss`: `ganzoo.Loss("name", {"real": "hinge(D(x), 1)", ...}, {...})`."""


@hookspec
def ganzoo_layers() -> Iterable[type[Layer]]:  # type: ignore[empty-body]
    """Layers: subclasses of `ganzoo.Layer` with their own `kind` and a `module(shape)`."""


@hookspec
def ganzoo_optimizers() -> Iterable[type[Optimizer]]:  # type: ignore[empty-body]
    """Optimizers: subclasses of `ganzoo.spec.Optimizer` with a `kind` and a `make`."""


@hookspec
def ganzoo_states() -> Iterable[type[State]]:  # type: ignore[empty-body]
    """Kinds of state: subclasses of `ganzoo.spec.State` with their own `kind`."""


@hookspec
def ganzoo_models() -> Iterable[Path]:  # type: ignore[empty-body]
    """Packs of models: folders of model folders, each found by its own name."""


@hookspec
def ganzoo_data() -> Iterable[DataSet]:  # type: ignore[empty-body]
    """Data sets: declarations `ganzoo.DataSet(name, fields, load=...)`."""


@hookspec
def ganzoo_metrics() -> Iterable[Metric]:  # type: ignore[empty-body]
    """Metrics for `ganzoo eval`: `ganzoo.Metric("sharpness", applies, find)`."""


@hookspec
def ganzoo_trackers() -> Iterable[Tracker]:  # type: ignore[empty-body]
    """Trackers for `ganzoo train --track`: `ganzoo.Tracker("mine", "summary", open)`."""
