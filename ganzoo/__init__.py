"""ganzoo: a zoo of GANs in which a model is data.

    import ganzoo
    ganzoo.from_pretrained("dcgan-mnist").generate(16, seed=0)

The public names load at first use, so that importing ganzoo never imports torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ganzoo import extension
from ganzoo.errors import GanzooError

if TYPE_CHECKING:
    from ganzoo.data import load as load_data
    from ganzoo.data.catalog import DataSet, Domains, FeatureExtractor, Sentence
    from ganzoo.data.given import source as as_source
    from ganzoo.data.source import Source
    from ganzoo.data.text_encoder import embed
    from ganzoo.engine import Step, train
    from ganzoo.hub import from_pretrained, list_models
    from ganzoo.metrics.metric import Metric
    from ganzoo.metrics.report import Figure
    from ganzoo.models.model import Model
    from ganzoo.models.scores import Scores
    from ganzoo.plugins.hookspecs import hookimpl
    from ganzoo.plugins.named import list_variants, load_spec, variant, with_augment, with_loss
    from ganzoo.spec.layers import Layer
    from ganzoo.spec.losses.loss import Loss
    from ganzoo.spec.spec import Spec, Task
    from ganzoo.spec.variant import Fields, Variant
    from ganzoo.spec.vocabulary import Function
    from ganzoo.trackers.tracker import Tracker

_PUBLIC = {
    "DataSet": "ganzoo.data.catalog",
    "Domains": "ganzoo.data.catalog",
    "FeatureExtractor": "ganzoo.data.catalog",
    "Fields": "ganzoo.spec.variant",
    "Figure": "ganzoo.metrics.report",
    "Function": "ganzoo.spec.vocabulary",
    "Layer": "ganzoo.spec.layers",
    "Loss": "ganzoo.spec.losses.loss",
    "Metric": "ganzoo.metrics.metric",
    "Model": "ganzoo.models.model",
    "Scores": "ganzoo.models.scores",
    "Sentence": "ganzoo.data.catalog",
    "Source": "ganzoo.data.source",
    "Spec": "ganzoo.spec.spec",
    "Step": "ganzoo.engine",
    "Task": "ganzoo.spec.spec",
    "Tracker": "ganzoo.trackers.tracker",
    "Variant": "ganzoo.spec.variant",
    "as_source": "ganzoo.data.given:source",
    "embed": "ganzoo.data.text_encoder",
    "from_pretrained": "ganzoo.hub",
    "hookimpl": "ganzoo.plugins.hookspecs",
    "list_models": "ganzoo.hub",
    "list_variants": "ganzoo.plugins.named",
    "load_data": "ganzoo.data:load",
    "load_spec": "ganzoo.plugins.named",
    "train": "ganzoo.engine",
    "variant": "ganzoo.plugins.named",
    "with_augment": "ganzoo.plugins.named",
    "with_loss": "ganzoo.plugins.named",
}

__all__ = [
    "DataSet",
    "Domains",
    "FeatureExtractor",
    "Fields",
    "Figure",
    "Function",
    "GanzooError",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Scores",
    "Sentence",
    "Source",
    "Spec",
    "Step",
    "Task",
    "Tracker",
    "Variant",
    "as_source",
    "embed",
    "from_pretrained",
    "hookimpl",
    "list_models",
    "list_variants",
    "load_data",
    "load_spec",
    "train",
    "variant",
    "with_augment",
    "with_loss",
]


def _words() -> Any:
    """The words that the installed plugins add to the language; plugins are loaded at first use."""
    from ganzoo.plugins.host import vocabulary

    return vocabulary()


def _published(model: str, network: str) -> Any:
    return import_module("ganzoo.hub.parts").published(model, network)


def _weights(origin: Any) -> Any:
    return import_module("ganzoo.hub.parts").weights(origin)


def _built(origin: Any) -> Any:
    return import_module("ganzoo.hub.parts").built(origin)


extension.words = _words
extension.published, extension.weights, extension.built = _published, _weights, _built


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'ganzoo' has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    value = getattr(import_module(module), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
