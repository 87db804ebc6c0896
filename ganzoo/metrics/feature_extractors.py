"""The nets that look at images for the metrics, pinned by the hash of their weights.

A data set declares which ones look at it (`DataSet.feature_extractors`). Images come to them as
people would get them: rounded to 8 bits.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ganzoo.data.catalog import FeatureExtractor, find
from ganzoo.errors import IntegrityError, MetricError
from ganzoo.hub import from_pretrained
from ganzoo.models.model import Model
from ganzoo.plugins.host import default
from ganzoo.version import install


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


class Inception:
    """The Inception net of the published FIDs, through torchmetrics; its weights are downloaded.

    Images are resized to 299x299 as torch-fidelity does; grey ones get three equal channels.
    It gives 2,048 features and no classes of the data.
    """

    name = "inception-v3-compat"

    def __init__(self) -> None:
        try:
            from torchmetrics.image.fid import NoTrainInceptionV3

            self.net = NoTrainInceptionV3(self.name, ["2048"])
        except (ImportError, ModuleNotFoundError) as error:
            raise MetricError(
                "no feature extractor for these images: their features come from the Inception "
                f"net, which needs torch-fidelity ({install('inception')}); {error}"
            ) from None
        except OSError as error:
            raise MetricError(
                f"no feature extractor for these images: the weights of the Inception net could "
                f"not be downloaded ({error}); try again with a network"
            ) from None
        self.sha256 = _hash(self.net)

    def features(self, images: Tensor) -> np.ndarray:
        found: list[np.ndarray] = []
        with torch.inference_mode():
            for part in rounded(images).split(50):
                colours = part if part.shape[1] == 3 else part[:, :1].expand(-1, 3, -1, -1)
                found.append(self.net((colours * 255).byte()).numpy())
        return np.concatenate(found)

    def classes(self, images: Tensor, field: str = "label") -> None:
        return None


def extractor_of(data: str) -> Extractor:
    """The feature extractor of a data set: the first that it declares, or else the Inception net.

    Raises:
        IntegrityError: its weights are not the pinned ones.
        MetricError: the Inception net cannot be had.
    """
    declared = find(data, default().data).feature_extractors
    return pinned(declared[0]) if declared else Inception()


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


def _hash(net: torch.nn.Module) -> str:
    import hashlib

    digest = hashlib.sha256()
    for key, value in sorted(net.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()
