"""Distances as papers report them, of Inception or DINOv2 features, by torch-fidelity.

Measured only on request, since weights are downloaded and it takes long: 50,000 samples against the
whole training set, resized by the nets' own method. Needs `pip install "ganzoo-core[fid]"`. Obukhov
et al. 2020, doi:10.5281/zenodo.4957738.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ganzoo.errors import MetricError
from ganzoo.metrics.evaluation import LITERATURE, Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure
from ganzoo.version import install

SAMPLES = 50_000


class Images(Dataset[Tensor]):
    """Images as torch-fidelity takes them: uint8 (3, h, w), made a batch at a time.

    Args:
        batch: returns the images, float (n, c, h, w) in [0, 1], of row numbers, int64 (n,).
        size: how many there are.
    """

    def __init__(self, batch: Callable[[Tensor], Tensor], size: int, at_once: int = 256) -> None:
        self._batch, self._size, self._at_once = batch, size, at_once
        self._first, self._held = -1, torch.empty(0)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> Tensor:
        first = index - index % self._at_once
        if first != self._first:
            rows = torch.arange(first, min(first + self._at_once, self._size))
            images = self._batch(rows).mul(255).round().byte()
            self._held = images[:, :3] if images.shape[1] >= 3 else images[:, :1].repeat(1, 3, 1, 1)
            self._first = first
        return self._held[index - first]


def measure(
    generated: Dataset[Tensor],
    real: Dataset[Tensor],
    net: str,
    seed: int = 0,
    *,
    cuda: bool = False,
) -> dict[str, float]:
    """`fid` and `kid` of two sets of images by one of torch-fidelity's nets.

    Args:
        cuda: the net computes there.

    Raises:
        MetricError: torch-fidelity is not installed, or the weights cannot be downloaded.
    """
    try:
        import torch_fidelity
    except ImportError as error:
        raise MetricError(
            f"distances of the literature need more: {install('fid')} ({error})"
        ) from None
    size = min(1000, len(generated), len(real))  # type: ignore[arg-type]
    try:
        found: Mapping[str, float] = torch_fidelity.calculate_metrics(
            input1=generated, input2=real, feature_extractor=net, fid=True, kid=True,
            kid_subset_size=size, rng_seed=seed, cuda=cuda, cache=False,
            save_cpu_ram=True, verbose=False, samples_shuffle=False,
        )  # fmt: skip
    except (OSError, URLError) as error:
        raise MetricError(
            f"the weights of {net} could not be downloaded ({error}); try again with a network"
        ) from None
    return {
        "fid": found["frechet_inception_distance"],
        "kid": found["kernel_inception_distance_mean"],
    }


def _given(evaluation: Evaluation, rows: Tensor) -> dict[str, Any]:
    """Classes and captions of the training images, repeated, for samples of these rows."""
    again = rows % len(evaluation.train)
    given: dict[str, Any] = {}
    if evaluation.asked:
        given["label"] = evaluation.train.batch(evaluation.asked, again).numpy()
    if evaluation.told:
        given["text"] = evaluation.train.batch(evaluation.told.field, again).numpy()
    return given


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    number, found = len(evaluation.train), dict[str, Figure]()

    def samples(rows: Tensor) -> Tensor:
        # each batch has a seed of its own, so that they need not all be in memory at once
        seed = evaluation.seed + 1 + int(rows[0])
        given = _given(evaluation, rows)
        return evaluation.model.generate(len(rows), seed=seed, output="pt", **given)

    for name in evaluation.literature:
        generated = Images(samples, SAMPLES)
        real = Images(lambda rows: evaluation.images(evaluation.train, rows), number)
        cuda = evaluation.model.device.type == "cuda"
        distances = measure(generated, real, LITERATURE[name], evaluation.seed, cuda=cuda)
        for word, what in (("fid", "Fréchet"), ("kid", "kernel")):
            # with features other than Inception's it is not a FID
            key = f"{word}_{name}" if name == "inception" else f"{word[0]}d_{name}"
            found[key] = evaluation.figure(
                distances[word],
                "lower",
                f"{what} distance of {LITERATURE[name]} features by torch-fidelity, to the whole "
                "training set",
                real=number,
                generated=SAMPLES,
            )
    return found


def _applies(evaluation: Evaluation) -> bool:
    return bool(evaluation.literature) and bool(evaluation.model.tasks("generate"))


METRIC = Metric("fidelity", _applies, _find)
