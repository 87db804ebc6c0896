"""The nets that compute features for metrics, pinned by the hash of their weights.

A data set declares its feature extractors (`DataSet.feature_extractors`). They get images as people
would get them: rounded to 8 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from ganzoo.data.catalog import FeatureExtractor, find
from ganzoo.errors import IntegrityError
from ganzoo.hub import from_pretrained
from ganzoo.metrics import efficientnet
from ganzoo.models.model import Model
from ganzoo.plugins.host import default
from ganzoo.spec.draws import Image


class Extractor(Protocol):
    """The interface of a feature extractor for metrics.

    `name` and `sha256` identify it: feature distances are meaningless without them. `fields` are
    the label fields whose classes it knows, by the names in the data; often none.
    """

    name: str
    sha256: str
    fields: tuple[str, ...]

    def features(self, images: Tensor) -> np.ndarray:
        """Features, float32 (n, d), of images (n, c, h, w) in [0, 1]."""
        ...

    def classes(self, images: Tensor, field: str = "label") -> np.ndarray | None:
        """Class numbers, int64 (n,), of a label field; None if it does not know them."""
        ...


class Classifier:
    """A model with a classify task for each label field, and an encode task for features.

    Args:
        model: the output of its first encode task is used for distances.
        fields: its own names of fields, by those of the data, where they differ.
    """

    def __init__(self, model: Model, fields: Mapping[str, str] | None = None) -> None:
        self.model = model
        self.name = model.title
        own = {task.field: name for name, task in model.tasks("classify").items()}
        renamed = {theirs: own[ours] for theirs, ours in (fields or {}).items() if ours in own}
        self._tasks = {**own, **renamed}
        replaced = {ours: theirs for theirs, ours in (fields or {}).items()}
        self.fields = tuple(replaced.get(field, field) for field in own)
        self.sha256 = model.weights_sha256

    def features(self, images: Tensor) -> np.ndarray:
        return self.model.encode(rounded(images))

    def classes(self, images: Tensor, field: str = "label") -> np.ndarray | None:
        if field not in self._tasks:
            return None
        return self.model.classify(rounded(images), task=self._tasks[field])


class Apart(Classifier):
    """A classifier applied to the centre of each channel of an image separately.

    The features of the channels are concatenated; their classes are the digits of the image's class
    in the base of its number of classes.
    """

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        [self._size] = {d.size for d in model.spec.draws.values() if isinstance(d, Image)}
        blank = torch.zeros(1, 1, self._size, self._size)
        self.base = model.classify(blank, probabilities=True).shape[1]

    def _channels(self, images: Tensor) -> list[Tensor]:
        top, left = ((side - self._size) // 2 for side in images.shape[2:])
        cut = images[:, :, top : top + self._size, left : left + self._size]
        return [channel[:, None] for channel in cut.unbind(1)]

    def features(self, images: Tensor) -> np.ndarray:
        return np.concatenate([super(Apart, self).features(c) for c in self._channels(images)], 1)

    def classes(self, images: Tensor, field: str = "label") -> np.ndarray | None:
        found = [super(Apart, self).classes(c, field) for c in self._channels(images)]
        total: np.ndarray | None = None
        for seen in found:
            if seen is None:
                return None
            total = seen if total is None else self.base * total + seen
        return total


class Matcher(Classifier):
    """A model that tells which sentence fits an image; it knows no classes."""

    def pictures(self, images: Tensor) -> np.ndarray:
        """Float32 (n, d)."""
        return self.model.match(rounded(images))

    def words(self, texts: np.ndarray) -> np.ndarray:
        """Of embedded sentences, float32 (n, size): float32 (n, d)."""
        return self.model.match(text=texts)

    def classes(self, images: Tensor, field: str = "label") -> None:
        return None


def extractor_of(data: str) -> Extractor:
    """The feature extractor of a data set: the first that it declares, else EfficientNet-Lite0.

    Raises:
        IntegrityError: its weights are not the pinned ones.
        MetricError: it declares none, and `ganzoo-core[features]` is not installed.
    """
    declared = find(data, default().data).feature_extractors
    return pinned(declared[0]) if declared else efficientnet.loaded()


def pinned(declared: FeatureExtractor) -> Extractor:
    """The extractor that a data set declares; IntegrityError if its weights differ."""
    model = from_pretrained(declared.name)
    if declared.apart:
        found: Classifier = Apart(model)
    elif model.tasks("match"):
        found = Matcher(model)
    else:
        found = Classifier(model, declared.fields)
    if found.sha256 != declared.sha256:
        raise IntegrityError(
            f"{declared.name} has sha256 {found.sha256[:12]}..., and figures are pinned to "
            f"{declared.sha256[:12]}...: they would not compare; install ganzoo again"
        )
    return found


_Net = TypeVar("_Net")


def placed(extractor: _Net, device: torch.device) -> _Net:
    """The same extractor, which computes on `device` from now on, where that is ganzoo's own."""
    ours = getattr(extractor, "model", extractor)  # others may be of any kind
    if isinstance(ours, Model | efficientnet.EfficientNet):
        ours.to(device)
    return extractor


def rounded(images: Tensor) -> Tensor:
    """Images in [0, 1], rounded as an 8-bit file would store them."""
    return images.mul(255).round().div(255)
