"""The nets that look at images for the metrics, pinned by the hash of their weights.

A data set declares which ones look at it (`DataSet.feature_extractors`). Images come to them as
people would get them: rounded to 8 bits.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from torch import Tensor

from ganzoo.data.catalog import FeatureExtractor, find
from ganzoo.errors import IntegrityError
from ganzoo.hub import from_pretrained
from ganzoo.metrics import efficientnet
from ganzoo.models.model import Model
from ganzoo.plugins.host import default


class Extractor(Protocol):
    """What metrics need of a feature extractor.

    `name` and `sha256` say which it is: a distance of features means nothing without them.
    """

    name: str
    sha256: str

    def features(self, images: Tensor) -> np.ndarray:
        """Features, float32 (n, d), of images (n, c, h, w) in [0, 1]."""
        ...

    def classes(self, images: Tensor, field: str = "label") -> np.ndarray | None:
        """Class numbers, int64 (n,), of a field of labels; None where it does not know them."""
        ...


class Classifier:
    """A classifier of the zoo: a model with the tasks `features` and `classes`."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.name = model.title
        self.sha256 = model.weights_sha256

    def features(self, images: Tensor) -> np.ndarray:
        return self.model.encode(rounded(images), task="features")

    def classes(self, images: Tensor, field: str = "label") -> np.ndarray | None:
        task = "classes" if field == "label" else field
        if task not in self.model.tasks("encode"):
            return None
        return self.model.encode(rounded(images), task=task).argmax(1)


class Matcher(Classifier):
    """A model that tells which sentence goes with which image; it knows no classes.

    Its tasks `pictures` and `words` give directions that agree where the two belong together;
    `features` is what distances compare.
    """

    def pictures(self, images: Tensor) -> np.ndarray:
        """Float32 (n, d)."""
        return self.model.encode(rounded(images), task="pictures")

    def words(self, texts: np.ndarray) -> np.ndarray:
        """Of embedded sentences, float32 (n, size): float32 (n, d)."""
        return self.model.encode(text=texts, task="words")

    def classes(self, images: Tensor, field: str = "label") -> None:
        return None


def extractor_of(data: str) -> Extractor:
    """The feature extractor of a data set: the first that it declares, or else EfficientNet-Lite0.

    Raises:
        IntegrityError: its weights are not the pinned ones.
        MetricError: it declares none, and `ganzoo-core[features]` is not installed.
    """
    declared = find(data, default().data).feature_extractors
    return pinned(declared[0]) if declared else efficientnet.loaded()


def pinned(declared: FeatureExtractor) -> Extractor:
    """The extractor that a data set declares; IntegrityError where its weights are others."""
    model = from_pretrained(declared.name)
    found = Matcher(model) if "words" in model.tasks("encode") else Classifier(model)
    if found.sha256 != declared.sha256:
        raise IntegrityError(
            f"{declared.name} has sha256 {found.sha256[:12]}..., and figures are pinned to "
            f"{declared.sha256[:12]}...: they would not compare; install ganzoo again"
        )
    return found


def rounded(images: Tensor) -> Tensor:
    """Images in [0, 1] as a file of 8 bits would hold them."""
    return images.mul(255).round().div(255)
