"""Judges: nets that see images for the metrics, pinned by the hash of their weights.

Images go to a judge as people would get them: rounded to 8 bits.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ganzoo.errors import IntegrityError, MetricError
from ganzoo.hub import from_pretrained
from ganzoo.models.model import Model
from ganzoo.version import install

_DIGITS = "e22a852bde404b7a11ff94ef35e3c9c26128ddaa17b9115ca2e4bec70cdfea32"
_CLOTHES = "15d646179fd2b9659697c53585e446ec56a53f3e852efe7bbfc9ed289ec2bf16"
PINNED = {
    "mnist": ("classifier-mnist", _DIGITS),
    "digits": ("classifier-mnist", _DIGITS),
    "fashion-mnist": (
        "classifier-fashion-mnist",
        "c8c215b445bf37b8861d3153ec9372a31b615b7a2e8e32e6e36ee5594a46ab2e",
    ),
    "fashion-captions": ("classifier-captions", _CLOTHES),
    "fashion-colours": ("classifier-captions", _CLOTHES),
    "emoji": (
        "classifier-emoji",
        "550d62efdd3b9df5a6e3f386efe58703da0b70e9e8d74cb229317fcc42430ece",
    ),
    "mnist-outlines": (
        "classifier-mnist-outlines",
        "96c66c8601aa60ccaf9d8a7738ad9a05f61835e0593945b7956cf4551540410d",
    ),
    "emoji-captions": (
        "matcher-emoji",
        "7e8333fd264230913a5ccb263e44eefdbbf5e15d1d5c8e4e499e15e66699bdc0",
    ),
}
"""The judge of each data set, and the sha256 of its weights."""


class Judge(Protocol):
    """What metrics need of a judge.

    `name` and `sha256` say which it is: a distance of features means nothing without them.
    """

    name: str
    sha256: str

    def features(self, images: Tensor) -> np.ndarray:
        """Features, float32 (n, d), of images (n, c, h, w) in [0, 1]."""
        ...

    def classes(self, images: Tensor, task: str = "classes") -> np.ndarray | None:
        """Class numbers, int64 (n,); None where the judge knows no classes of the data.

        `task` asks for another field than the label, such as "colour".
        """
        ...


class Classifier:
    """A classifier of the zoo: a model with the tasks `features` and `classes`."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.name = model.title
        self.sha256 = model.weights_sha256

    def features(self, images: Tensor) -> np.ndarray:
        return self.model.encode(rounded(images), task="features")

    def classes(self, images: Tensor, task: str = "classes") -> np.ndarray | None:
        if task not in self.model.tasks("encode"):
            return None
        return self.model.encode(rounded(images), task=task).argmax(1)


class Matcher(Classifier):
    """A judge of which sentence goes with which image; it knows no classes.

    Its tasks `pictures` and `words` give directions that agree where the two belong together;
    `features` is what distances compare.
    """

    def pictures(self, images: Tensor) -> np.ndarray:
        """Float32 (n, d)."""
        return self.model.encode(rounded(images), task="pictures")

    def words(self, texts: np.ndarray) -> np.ndarray:
        """Of embedded sentences, float32 (n, size): float32 (n, d)."""
        return self.model.encode(text=texts, task="words")

    def classes(self, images: Tensor, task: str = "classes") -> None:
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
                "no judge for these images: their features come from the Inception net, which "
                f"needs torch-fidelity ({install('inception')}); {error}"
            ) from None
        except OSError as error:
            raise MetricError(
                f"no judge for these images: the weights of the Inception net could not be "
                f"downloaded ({error}); try again with a network"
            ) from None
        self.sha256 = _hash(self.net)

    def features(self, images: Tensor) -> np.ndarray:
        found: list[np.ndarray] = []
        with torch.inference_mode():
            for part in rounded(images).split(50):
                colours = part if part.shape[1] == 3 else part[:, :1].expand(-1, 3, -1, -1)
                found.append(self.net((colours * 255).byte()).numpy())
        return np.concatenate(found)

    def classes(self, images: Tensor, task: str = "classes") -> None:
        return None


def judge_of(data: str) -> Judge:
    """The judge of a data set: its pinned classifier or matcher, or else the Inception net.

    Raises:
        IntegrityError: the judge's weights are not the pinned ones.
        MetricError: the Inception net cannot be had.
    """
    base = data.partition(",")[0]  # a data set with classes left out has the same judge
    if base not in PINNED:
        return Inception()
    name, sha256 = PINNED[base]
    model = from_pretrained(name)
    judge = Matcher(model) if "words" in model.tasks("encode") else Classifier(model)
    if judge.sha256 != sha256:
        raise IntegrityError(
            f"{name} has sha256 {judge.sha256[:12]}..., and figures are pinned to "
            f"{sha256[:12]}...: they would not compare; install ganzoo again"
        )
    return judge


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
