"""How well a score recognizes images of classes that were left out of training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ganzoo.metrics import neighbours
from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure, worth
from ganzoo.spec.draws import Label

COMPONENTS = 20
"""Principal components of the PCA reconstruction that anomaly scores are compared with."""
KNOWN = 15_000
"""The most training images that are searched for neighbours; a third of them for features."""
NEIGHBOURS = 5
"""Neighbours whose distances are averaged."""
MOST_KINDS = 4
"""The most classes of another label for which a score is measured separately."""
PATCHES = 10_000
"""Patches of training images that patches of test images are compared with."""


def auroc(normal: np.ndarray, strange: np.ndarray) -> float:
    """The chance that a strange sample scores above a normal one; half where they are equal."""
    from sklearn.metrics import roc_auc_score

    truth = np.repeat([0, 1], [len(normal), len(strange)])
    return float(roc_auc_score(truth, np.concatenate([normal, strange])))


def lost_in_components(
    known: np.ndarray, rows: np.ndarray, components: int = COMPONENTS, seed: int = 0
) -> np.ndarray:
    """The simplest anomaly score: the error of PCA, fitted on normal images.

    Args:
        known: float (n, d), normal. rows: float (m, d). components: how many are kept.

    Returns:
        The mean squared error of each row, (m,).
    """
    from sklearn.decomposition import PCA

    few = PCA(components, svd_solver="randomized", random_state=seed).fit(known)
    return ((rows - few.inverse_transform(few.transform(rows))) ** 2).mean(1)


def _neighbours(evaluation: Evaluation) -> dict[str, np.ndarray]:
    """Scores of the test images by methods without training: distances to normal images."""
    rows = evaluation.known_sample(KNOWN)
    known = evaluation.images(evaluation.train, rows)
    found = {
        f"{NEIGHBOURS}-NN on pixels": neighbours.nearest(
            [neighbours.pixels(known)], neighbours.pixels(evaluation.real), NEIGHBOURS
        )
    }
    net = evaluation.general
    if net is None:
        return found
    some = known[: max(1, KNOWN // 3)]
    random = np.random.default_rng(evaluation.seed)
    each = -(-PATCHES // len(some))  # a few patches of each image, as many in all as are compared
    normal, bank = list[np.ndarray](), list[np.ndarray]()
    for features, patches in net.described(some):
        chosen = random.integers(0, patches.shape[1], (len(patches), each, 1))
        normal.append(features)
        bank.append(np.take_along_axis(patches, chosen, 1).reshape(-1, patches.shape[2]))
    patched = [np.concatenate(bank)[:PATCHES]]
    whole, strangest = list[np.ndarray](), list[np.ndarray]()
    for features, patches in net.described(evaluation.real):
        far = neighbours.nearest(patched, patches.reshape(-1, patches.shape[2]))
        whole.append(features)
        strangest.append(far.reshape(len(patches), -1).max(1))
    found[f"{NEIGHBOURS}-NN on features"] = neighbours.nearest(
        [np.concatenate(normal)], np.concatenate(whole), NEIGHBOURS
    )
    found["1-NN on patches of features"] = np.concatenate(strangest)
    return found


def _kinds(evaluation: Evaluation, strange: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Subsets of images by other labels, with their rows, where each has normal and anomalous ones.

    One subset may be much harder than another, which a figure over all of them hides.
    """
    for field, truth in evaluation.fields_of_labels():
        label = evaluation.test.fields.fields[field]
        assert isinstance(label, Label)
        if field == "label" or label.classes > MOST_KINDS:
            continue
        for number in range(label.classes):
            rows = truth == number
            if (rows & strange).any() and (rows & ~strange).any():
                yield (label.names[number] if label.names else f"{field}_{number}"), rows


def _each_class(evaluation: Evaluation, verdicts: np.ndarray) -> dict[str, float]:
    """The share of false alarms in each normal class."""
    label = evaluation.test.fields.fields["label"]
    assert isinstance(label, Label)
    found: dict[str, float] = {}
    for number in sorted(set(evaluation.labels.tolist()) - evaluation.left_out):
        found[f"class {_name(label, number)}"] = verdicts[evaluation.labels == number].mean()
    return found


def _name(label: Label, number: int) -> str:
    return label.names[number] if label.names else str(number)


def _applies(evaluation: Evaluation) -> bool:
    return bool(evaluation.model.tasks("score")) and bool(evaluation.left_out)


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    strange = np.isin(evaluation.labels, sorted(evaluation.left_out))

    def area(scores: np.ndarray) -> float:
        return auroc(scores[~strange], scores[strange])

    pixels = evaluation.everything.flatten(1).numpy()
    rows = evaluation.real.flatten(1).numpy()
    lost = lost_in_components(pixels, rows, COMPONENTS, evaluation.seed)
    plain = {f"PCA of {COMPONENTS}": lost, **_neighbours(evaluation)}
    simple = {name: area(scores) for name, scores in plain.items()}
    label = evaluation.test.fields.fields["label"]
    assert isinstance(label, Label)
    some = ", ".join(_name(label, number) for number in sorted(evaluation.left_out))
    found: dict[str, Figure] = {}
    for name, task in evaluation.model.tasks("score").items():
        scores = evaluation.model.score(evaluation.real, task=name, seed=evaluation.seed)
        fresh = evaluation.fresh.score(evaluation.real, task=name)
        value = area(scores.values)
        found[f"{name}_auroc"] = evaluation.figure(
            value,
            "higher",
            f"chance that an image of class {some} scores above one of the others",
            {**simple, "untrained": area(fresh.values)},
            generated=0,
            remark=worth(f"The area under the ROC curve of {name!r}", value, "higher", simple),
        )
        for what, rows_of in _kinds(evaluation, strange):
            found[f"{name}_auroc_{what}"] = evaluation.figure(
                auroc(scores.values[rows_of & ~strange], scores.values[rows_of & strange]),
                "higher",
                f"the same among images of kind {what} alone",
                {
                    word: auroc(each[rows_of & ~strange], each[rows_of & strange])
                    for word, each in plain.items()
                },
                real=int(rows_of.sum()),
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
            "share of the other images that do; and of each class of them",
            {"meant": 1 - (task.quantile or 0), **_each_class(evaluation, verdicts)},
            generated=0,
        )
    return found


METRIC = Metric("anomalies", _applies, _find)
