"""How well a score tells images of classes that were left out of training."""

from __future__ import annotations

import numpy as np

from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure

COMPONENTS = 20
"""Principal components of the reconstruction beside anomaly scores."""


def auroc(normal: np.ndarray, strange: np.ndarray) -> float:
    """The chance that a strange sample scores above a normal one; half where they are equal."""
    from sklearn.metrics import roc_auc_score

    truth = np.repeat([0, 1], [len(normal), len(strange)])
    return float(roc_auc_score(truth, np.concatenate([normal, strange])))


def lost_in_components(
    known: np.ndarray, rows: np.ndarray, components: int = COMPONENTS, seed: int = 0
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


def _applies(evaluation: Evaluation) -> bool:
    return bool(evaluation.model.tasks("score")) and bool(evaluation.left_out)


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    strange = np.isin(evaluation.labels, sorted(evaluation.left_out))

    def area(scores: np.ndarray) -> float:
        return auroc(scores[~strange], scores[strange])

    pixels = evaluation.everything.flatten(1).numpy()
    rows = evaluation.real.flatten(1).numpy()
    lost = lost_in_components(pixels, rows, COMPONENTS, evaluation.seed)
    some = ", ".join(map(str, sorted(evaluation.left_out)))
    found: dict[str, Figure] = {}
    for name, task in evaluation.model.tasks("score").items():
        scores = evaluation.model.score(evaluation.real, task=name, seed=evaluation.seed)
        fresh = evaluation.fresh.score(evaluation.real, task=name)
        found[f"{name}_auroc"] = evaluation.figure(
            area(scores.values),
            "higher",
            f"chance that an image of class {some} scores above one of the others",
            {f"PCA of {COMPONENTS}": area(lost), "untrained": area(fresh.values)},
            generated=0,
        )
        verdicts = scores.is_anomaly
        if verdicts is None:
            continue
        assert scores.threshold is not None
        found[f"{name}_detected"] = evaluation.figure(
            verdicts[strange].mean(),
            "higher",
            f"share of the images of class {some} that score above the stored threshold",
            {"threshold": scores.threshold},
            generated=0,
        )
        found[f"{name}_false_alarms"] = evaluation.figure(
            verdicts[~strange].mean(),
            "lower",
            "share of the other images that do",
            {"meant": 1 - (task.quantile or 0)},
            generated=0,
        )
    return found


METRIC = Metric("anomalies", _applies, _find)
