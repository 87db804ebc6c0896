"""Log-likelihood under a kernel density of samples.

The figure of the first GAN papers (Goodfellow et al. 2014, arXiv:1406.2661), after the estimator of
Breuleux et al.: a Gaussian of one width around each of the samples. A poor measure of a picture's
quality (Theis et al. 2015, arXiv:1511.01844), kept because the papers report it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure

WIDTHS = tuple(round(0.1 * 10 ** (step / 20), 4) for step in range(11))
"""Candidate widths of the kernel, from 0.1 to 0.316, for pixels in [0, 1]."""


def parzen(samples: np.ndarray, rows: np.ndarray, width: float) -> np.ndarray:
    """Log-likelihood in nats of each of `rows` (m, d) under Gaussians around samples (n, d).

    Equals scikit-learn's KernelDensity.score_samples, which takes hours for samples of so many
    numbers.
    """
    number, size = samples.shape
    centres = torch.from_numpy(samples).float()
    squares = centres.square().sum(1)
    constant = math.log(number) + size / 2 * math.log(2 * math.pi * width**2)
    found: list[torch.Tensor] = []
    for part in torch.from_numpy(rows).float().split(500):
        distances = part.square().sum(1, keepdim=True) + squares - 2 * part @ centres.T
        found.append((distances / (-2 * width**2)).logsumexp(1) - constant)
    return torch.cat(found).double().numpy()


def log_likelihood(
    samples: np.ndarray,
    validation: np.ndarray,
    rows: np.ndarray,
    widths: Sequence[float] = WIDTHS,
) -> tuple[float, float]:
    """Mean log-likelihood of `rows` in nats, and the width with the best one of `validation`."""
    width = max(widths, key=lambda each: parzen(samples, validation, each).mean())
    return float(parzen(samples, rows, width).mean()), width


def _applies(evaluation: Evaluation) -> bool:
    return bool(evaluation.model.tasks("generate")) and evaluation.dense


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    rows, samples, known = (
        part.flatten(1).numpy()
        for part in (evaluation.real, evaluation.generated, evaluation.known)
    )
    held = torch.arange(len(evaluation.train))[-1000:]
    validation = evaluation.images(evaluation.train, held).flatten(1).numpy()
    value, width = log_likelihood(samples, validation, rows)
    return {
        "log_likelihood": evaluation.figure(
            value,
            "higher",
            f"Parzen log-likelihood in nats, kernel {width:.3g} by 1,000 training images",
            {"training images": log_likelihood(known, validation, rows)[0]},
            bound="training images",
        )
    }


METRIC = Metric("likelihood", _applies, _find)
