"""What a critic, or any net that gives one number an image, is like."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor


def auroc(normal: np.ndarray, strange: np.ndarray) -> float:
    """The chance that a strange sample scores above a normal one; half where they are equal."""
    from sklearn.metrics import roc_auc_score

    truth = np.repeat([0, 1], [len(normal), len(strange)])
    return float(roc_auc_score(truth, np.concatenate([normal, strange])))


def lost_in_components(
    known: np.ndarray, rows: np.ndarray, components: int = 20, seed: int = 0
) -> np.ndarray:
    """The plainest anomaly score: what a row loses in the principal components of known ones.

    Args:
        known: float (n, d), normal. rows: float (m, d). components: how many are kept.

    Returns:
        The mean squared error of each row, (m,).
    """
    from sklearn.decomposition import PCA

    few = PCA(components, svd_solver="randomized", random_state=seed).fit(known)
    return ((rows - few.inverse_transform(few.transform(rows))) ** 2).mean(1)


def gradient_norms(
    critic: Callable[..., Tensor],
    real: Sequence[Tensor],
    fake: Sequence[Tensor],
    given: Sequence[Tensor] = (),
    *,
    seed: int = 0,
    batch: int = 500,
) -> np.ndarray:
    """The norm of the critic's gradient at one random point between each real and fake sample.

    One norm over all inputs of the critic together but those given, (n,); with a gradient
    penalty it is trained to be 1 (arXiv:1704.00028).
    """
    generator = torch.Generator().manual_seed(seed)
    found: list[Tensor] = []
    for start in range(0, len(real[0]), batch):
        part = slice(start, start + batch)
        share = torch.rand(len(real[0][part]), generator=generator)
        points = [
            torch.lerp(b[part], a[part], share.view(-1, *[1] * (a.ndim - 1))).requires_grad_()
            for a, b in zip(real, fake, strict=True)
        ]
        gradients = torch.autograd.grad(critic(*points, *(a[part] for a in given)).sum(), points)
        found.append(torch.cat([gradient.flatten(1) for gradient in gradients], 1).norm(dim=1))
    return torch.cat(found).detach().numpy()
