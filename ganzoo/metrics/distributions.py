"""How close two sets of samples are: Fréchet and kernel distance, precision and recall.

All functions take features, float (n, d), of real and of generated samples.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch

from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure

NEIGHBOURS = 5
"""The number of neighbours that sets the radius around a sample."""
ABOUT = {
    "precision": "share of samples within the real images' neighbourhoods",
    "recall": "share of real images within the samples' neighbourhoods",
    "density": "how many real neighbourhoods a sample lies in, over their size",
    "coverage": "share of real neighbourhoods with a sample in them",
}
"""The values of `precision_recall`, in words."""


class _Features(torch.nn.Module):
    """A stand-in for torchmetrics' feature net where features have been computed already."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.num_features = size

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Squared Fréchet distance of the Gaussians fitted to both (Heusel et al., arXiv:1706.08500).

    With Inception features this is the FID. A value is meaningless without the name of the
    features, and it falls with the number of samples.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(_Features(real.shape[1]))
    metric.set_dtype(torch.float64)
    metric.update(torch.from_numpy(real).double(), real=True)
    metric.update(torch.from_numpy(fake).double(), real=False)
    return float(metric.compute())


def kernel_distance(
    real: np.ndarray, fake: np.ndarray, *, seed: int = 0, subsets: int = 100, size: int = 1000
) -> float:
    """Squared maximum mean discrepancy with the kernel (a.b/d + 1)^3 (arXiv:1801.01401).

    The mean over `subsets` random parts of `size` samples; unbiased, so it may be negative.
    """
    from torchmetrics.image.kid import KernelInceptionDistance

    size = min(size, len(real), len(fake))
    with warnings.catch_warnings():  # that it keeps all features
        warnings.simplefilter("ignore", UserWarning)
        metric = KernelInceptionDistance(
            _Features(real.shape[1]), subsets=subsets, subset_size=size
        )
    metric.set_dtype(torch.float64)
    metric.update(torch.from_numpy(real).double(), real=True)
    metric.update(torch.from_numpy(fake).double(), real=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return float(metric.compute()[0])


def precision_recall(real: np.ndarray, fake: np.ndarray, k: int = NEIGHBOURS) -> dict[str, float]:
    """`precision`, `recall` (arXiv:1904.06991), `density` and `coverage` (arXiv:2002.09797).

    Each sample has a ball around it that reaches to its k-th neighbour in its own set. Precision is
    the share of generated samples in a real ball, recall that of real samples in a generated ball.
    Density is the number of real balls that contain a generated sample, in units of k, so that it
    can exceed 1; coverage is the share of real balls with a generated sample.
    """
    from sklearn.metrics import pairwise_distances_chunked
    from sklearn.neighbors import NearestNeighbors

    def radii(rows: np.ndarray) -> np.ndarray:
        search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(rows)
        return search.kneighbors()[0][:, -1]  # the sample itself does not count

    real_radii, fake_radii = radii(real), radii(fake)
    in_real = np.zeros(len(fake), np.int64)
    covered: list[np.ndarray] = []
    recalled: list[np.ndarray] = []
    start = 0
    for distances in pairwise_distances_chunked(real, fake):
        stop = start + len(distances)
        inside = distances < real_radii[start:stop, None]
        in_real += inside.sum(0)
        covered.append(np.asarray(inside.any(1)))
        recalled.append(np.asarray((distances < fake_radii).any(1)))
        start = stop
    return {
        "precision": float((in_real > 0).mean()),
        "recall": float(np.concatenate(recalled).mean()),
        "density": float(in_real.mean() / k),
        "coverage": float(np.concatenate(covered).mean()),
    }


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    features = evaluation.features
    real, fake, known = features["real"], features["generated"], features["known"]
    found: dict[str, Figure] = {}
    # distances of a general feature net have its name, so that none is taken for Inception's
    short = getattr(evaluation.extractor, "short", "")
    fid, kid = (f"fd_{short}", f"kd_{short}") if short else ("fid", "kid")
    for name, measure, about in (
        (fid, frechet_distance, "Fréchet distance of the extractor's features"),
        (kid, kernel_distance, "kernel distance of the extractor's features"),
    ):
        found[name] = evaluation.figure(
            measure(real, fake), "lower", about, {"training images": measure(real, known)}
        )
    ours, floor = precision_recall(real, fake), precision_recall(real, known)
    for name, about in ABOUT.items():
        found[name] = evaluation.figure(
            ours[name], "higher", about, {"training images": floor[name]}
        )
    return found


METRIC = Metric("distributions", lambda evaluation: bool(evaluation.model.tasks("generate")), _find)
