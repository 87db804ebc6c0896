"""Whether images show what their captions say, and what the last stage adds."""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from ganzoo.metrics import classes
from ganzoo.metrics.distributions import frechet_distance
from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.feature_extractors import Matcher, rounded
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure
from ganzoo.metrics.targets import classified

CANDIDATES = 100


def r_precision(
    pictures: np.ndarray,
    words: np.ndarray,
    *,
    candidates: int = CANDIDATES,
    seed: int = 0,
) -> float:
    """How often an image is closest to its own sentence among `candidates` (arXiv:1711.10485).

    Args:
        pictures, words: directions of images and of their sentences, float (n, d), row by row.
        candidates: sentences in each choice: the image's own, and others drawn by the seed from
            the rows with another sentence; fewer if there are not enough.

    A tie with another sentence counts as wrong, so that equal directions score nothing.
    """
    pictures, words = (_unit(np.asarray(rows, np.float64)) for rows in (pictures, words))
    sentences, own = np.unique(words, axis=0, return_inverse=True)
    own = own.reshape(-1)
    others = min(candidates, len(sentences)) - 1
    random = np.random.default_rng(seed)
    right = 0
    for picture, mine in zip(pictures, own, strict=True):
        drawn = random.choice(len(sentences) - 1, others, replace=False)
        drawn += drawn >= mine  # skips its own
        right += bool((sentences[drawn] @ picture < sentences[mine] @ picture).all())
    return right / len(pictures)


def prefers(own: np.ndarray, other: np.ndarray) -> float:
    """How often an image fits its own sentence better than another one.

    own, other: the mismatch scores of each image, float (n,). A tie counts half.
        own, other: how badly each image fits, float (n,). A tie counts half.
    """
    return float((own < other).mean() + 0.5 * (own == other).mean())


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    assert evaluation.told
    text = evaluation.captions(evaluation.told)
    sketches = _sketches(evaluation, text)
    return {
        **_classes(evaluation, sketches),
        **_sketch_distances(evaluation, sketches),
        **_mismatches(evaluation, text),
        **_matches(evaluation, text),
    }


def _sketches(evaluation: Evaluation, text: np.ndarray) -> dict[str, Tensor]:
    """The samples of stages before the last, enlarged, by the names of their tasks."""
    _, *earlier = evaluation.model.tasks("generate")
    size = evaluation.image.shape[1:]
    return {
        task: rounded(F.interpolate(images, size, mode="bilinear"))
        for task in earlier
        if (images := evaluation.generate(evaluation.count, task=task, text=text)).shape[2:] != size
    }


def _classes(evaluation: Evaluation, sketches: dict[str, Tensor]) -> dict[str, Figure]:
    """Which of the classes that the captions name are recognized."""
    found: dict[str, Figure] = {}
    samples = {"": evaluation.generated, **sketches}
    targeted = classified(evaluation.spec, evaluation.model.task("generate").output)
    right = {task: np.ones(evaluation.count, bool) for task in samples}
    for field, truth in evaluation.fields_of_labels():
        real = evaluation.extractor.classes(evaluation.real, field)
        if real is None or not (truth >= 0).any():
            continue
        said = truth >= 0
        correct = {
            task: evaluation.extractor.classes(images, field) == truth
            for task, images in samples.items()
        }
        right = {task: right[task] & (correct[task] | ~said) for task in right}
        shares = {task: each[said].mean() for task, each in correct.items()}
        found["class_accuracy" if field == "label" else f"{field}_accuracy"] = evaluation.figure(
            shares.pop(""),
            "higher",
            f"share of samples in which the extractor sees the {field} that the caption names",
            {"test images": classes.accuracy(real[said], truth[said]), **shares},
            targeted=targeted,
        )
    if len(found) > 1:
        shares = {task: each.mean() for task, each in right.items()}
        about = "share of samples in which it sees all of them as the caption has them"
        whole = shares.pop("")
        found["all_right"] = evaluation.figure(whole, "higher", about, shares, targeted=targeted)
    return found


def _sketch_distances(evaluation: Evaluation, sketches: dict[str, Tensor]) -> dict[str, Figure]:
    return {
        f"{task}_fid": evaluation.figure(
            frechet_distance(evaluation.features["real"], evaluation.extractor.features(images)),
            "lower",
            f"Fréchet distance of the samples of {task!r}, enlarged",
        )
        for task, images in sketches.items()
    }


def _mismatches(evaluation: Evaluation, text: np.ndarray) -> dict[str, Figure]:
    """Figures of scores that take a sentence, on test images and captions."""
    found: dict[str, Figure] = {}
    for name, task in evaluation.model.tasks("score").items():
        if not evaluation.text_of(task):
            continue
        own, other = (
            evaluation.model.score(
                evaluation.real, task=name, text=rows, seed=evaluation.seed
            ).values
            for rows in (text, np.roll(text, 1, axis=0))
        )
        found[f"{name}_margin"] = evaluation.figure(
            (other - own).mean(),
            "higher",
            f"by how much {name!r} of test images is more with another's caption, on average",
            {"spread": own.std()},
            generated=0,
        )
        found[f"{name}_prefers"] = evaluation.figure(
            prefers(own, other),
            "higher",
            "share of test images that fit their own caption better than another's",
            {"chance": 0.5},
            generated=0,
        )
    return found


def _matches(evaluation: Evaluation, text: np.ndarray) -> dict[str, Figure]:
    """Whether the extractor, if it is a matcher, finds the captions of samples."""
    extractor, found = evaluation.extractor, dict[str, Figure]()
    assert evaluation.told
    if not isinstance(extractor, Matcher):
        return found
    known = evaluation.train.batch(evaluation.told.field, evaluation.known_rows).numpy()
    again = evaluation.generate(len(known), text=known)
    for name, images, real, rows, which in (
        ("r_precision", evaluation.generated, evaluation.real, text, "test"),
        ("r_precision_training", again, evaluation.known, known, "training"),
    ):
        drawn, true = (
            r_precision(extractor.pictures(part), extractor.words(rows), seed=evaluation.seed)
            for part in (images, real)
        )
        found[name] = evaluation.figure(
            drawn,
            "higher",
            f"share of samples of {which} captions that the extractor matches with their own "
            "among 100",
            {f"{which} images": true, "chance": 0.01},
            generated=len(images),
        )
    return found


METRIC = Metric("captions", lambda evaluation: evaluation.told is not None, _find)
