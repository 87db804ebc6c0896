"""The class of a code's nearest neighbour, and the distribution of codes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure

MOST = 10**9
"""The most pairs of a training and a test image whose distance is taken."""


def nearest_neighbour_accuracy(
    fitted: np.ndarray, labels: np.ndarray, rows: np.ndarray, truth: np.ndarray
) -> float:
    """The share of `rows` whose nearest neighbour (Euclidean) in `fitted` has the true label.

    Donahue et al. 2016 (arXiv:1605.09782), table 1, measure the features of BiGAN this way.
    """
    from sklearn.neighbors import KNeighborsClassifier

    neighbours = KNeighborsClassifier(n_neighbors=1, algorithm="brute").fit(fitted, labels)
    return float((neighbours.predict(rows) == truth).mean())


def moments(codes: np.ndarray) -> dict[str, float]:
    """The distribution of the codes (n, d) of a data set.

    `mean` is the mean over the code's numbers of the absolute mean, `variance` the mean of
    their variances; `largest_mean`, `least_variance`, `largest_variance` are the extremes.
    """
    means, variances = np.abs(codes.mean(0)), codes.var(0)
    return {
        "mean": float(means.mean()),
        "variance": float(variances.mean()),
        "largest_mean": float(means.max()),
        "least_variance": float(variances.min()),
        "largest_variance": float(variances.max()),
    }


def _tasks(evaluation: Evaluation) -> list[str]:
    """The tasks that encode images."""
    tasks = evaluation.model.tasks("encode")
    if evaluation.model.tasks("classify"):  # its classes say more
        return []
    return [name for name, task in tasks.items() if not evaluation.text_of(task)]


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    found: dict[str, Figure] = {}
    for task in _tasks(evaluation):
        found |= _codes(evaluation, task)
    return found


def _codes(evaluation: Evaluation, task: str) -> dict[str, Figure]:
    model, number = evaluation.model, len(evaluation.train)
    found: dict[str, Figure] = {}
    several = evaluation.classes and len(np.unique(evaluation.all_labels)) > 1
    if several and number * len(evaluation.real) <= MOST:

        def accuracy(encode: Callable[[Tensor], np.ndarray]) -> float:
            return nearest_neighbour_accuracy(
                encode(evaluation.everything), evaluation.all_labels,
                encode(evaluation.real), evaluation.labels,
            )  # fmt: skip

        references = {"untrained": accuracy(lambda x: evaluation.fresh.encode(x, task=task))}
        if evaluation.dense:
            references["pixels"] = accuracy(lambda x: x.flatten(1).numpy())
        found[f"{task}_nearest_neighbour"] = evaluation.figure(
            accuracy(lambda x: model.encode(x, task=task, seed=evaluation.seed)),
            "higher",
            f"test accuracy of 1-NN by the task {task!r}, fitted on {number:,} images",
            references,
            generated=0,
        )
    if evaluation.samples_codes(task):
        lie = moments(model.encode(evaluation.real, task=task, seed=evaluation.seed))
        found[f"{task}_mean"] = evaluation.figure(
            lie["mean"],
            "lower",
            "mean over the code's numbers of their absolute means",
            {"prior": 0.0, "largest": lie["largest_mean"]},
            generated=0,
        )
        found[f"{task}_variance"] = evaluation.figure(
            lie["variance"],
            "",
            "mean over the code's numbers of their variances",
            {"prior": 1.0, "least": lie["least_variance"], "largest": lie["largest_variance"]},
            generated=0,
        )
    return found


METRIC = Metric("codes", lambda evaluation: bool(_tasks(evaluation)), _find)
