"""Whether held-out images find their partners in the other domain, and belong there."""

from __future__ import annotations

import torch

from ganzoo.metrics import pairs
from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.feature_extractors import rounded
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.reconstructions import reconstruction_ratio
from ganzoo.metrics.report import Figure
from ganzoo.spec.draws import Image


def _directions(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """The tasks whose images have partners in the test split: name, from, to."""
    spec, test = evaluation.spec, evaluation.test
    found: list[tuple[str, str, str]] = []
    for name, task in evaluation.model.tasks("translate").items():
        (field,) = (
            draw.field
            for draw in map(spec.draws.get, spec.draws_of(task))
            if isinstance(draw, Image)
        )
        images = [test.fields.fields.get(word) for word in (field, task.to or "")]
        if (
            evaluation.split == "test"
            and task.to
            and all(isinstance(image, Image) for image in images)
            and test.length(field) == test.length(task.to)
        ):
            found.append((name, field, task.to))
    return found


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    found: dict[str, Figure] = {}
    for name, field, to in _directions(evaluation):
        found |= _direction(evaluation, name, field, to)
    return found


def _direction(evaluation: Evaluation, name: str, field: str, to: str) -> dict[str, Figure]:
    """The figures of one direction; each stands beside what doing nothing would get."""
    model, seed = evaluation.model, evaluation.seed
    number = min(evaluation.count, pairs.CANDIDATES, evaluation.test.length(to))
    count = {"real": number, "generated": number}
    rows = torch.arange(number)
    originals, partners = (evaluation.images(evaluation.test, rows, word) for word in (field, to))
    made = rounded(model.translate(originals, to=to, seed=seed, output="pt"))
    places, before, wanted = map(pairs.coarse, (made, originals, partners))
    found = {
        f"{name}_retrieval_{k}": evaluation.figure(
            pairs.retrieval(places, wanted, k),
            "higher",
            f"share of images of {field} in {to} that have their partner among the {k} nearest "
            f"of {number:,}, by pixels averaged to {pairs.SIDE}x{pairs.SIDE}",
            {"doing nothing": pairs.retrieval(before, wanted, k), "chance": k / number},
            **count,
        )
        for k in (1, 5)
    }
    if field in [task.to for task in model.tasks("translate").values()]:
        again = rounded(model.translate(made, to=field, seed=seed, output="pt"))
        found[f"{name}_and_back"] = evaluation.figure(
            reconstruction_ratio(originals.numpy(), again.numpy(), seed),
            "lower",
            f"distance of images of {field} to what comes back of them over that to others'",
            **count,
        )
    domains = evaluation.declared.domains
    if domains and {field, to} <= set(domains.classes):
        seen = [
            evaluation.extractor.classes(images, domains.label)
            for images in (made, originals, partners)
        ]
        shares = [domains.belong(classes, to).mean() for classes in seen]
        found[f"{name}_taken"] = evaluation.figure(
            shares[0],
            "higher",
            f"share of images of {field} in {to} that the extractor takes for {to}",
            {"doing nothing": shares[1], "partners": shares[2]},
            **count,
        )
        if len(domains.classes[to]) > 1:
            meant = domains.moved(seen[1], to)
            kept = [(classes == meant).mean() for classes in seen]
            found[f"{name}_class_kept"] = evaluation.figure(
                kept[0],
                "higher",
                "share that it takes for the same class in the other domain",
                {"doing nothing": kept[1], "partners": kept[2]},
                **count,
            )
    return found


METRIC = Metric("translations", lambda evaluation: bool(_directions(evaluation)), _find)
