"""Whether held-out images are translated to their partners, and to the other domain."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ganzoo.metrics import pairs
from ganzoo.metrics.evaluation import Counts, Evaluation
from ganzoo.metrics.feature_extractors import rounded
from ganzoo.metrics.flatness import Reader
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.reconstructions import reconstruction_ratio
from ganzoo.metrics.report import Figure, worth
from ganzoo.metrics.targets import compared, cycled
from ganzoo.spec.draws import Image

FITTED = 1000
"""The most training images of each domain that the classifier by flat colours is fitted on."""
TELLS = 0.6
"""The accuracy on them from which it is used."""


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
            and evaluation.declared.partners
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
    """The figures of one direction; each is shown with the value of doing nothing."""
    model, seed = evaluation.model, evaluation.seed
    task = model.tasks("translate")[name]
    number = min(evaluation.count, pairs.CANDIDATES, evaluation.test.length(to))
    count: Counts = {"real": number, "generated": number}
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
    ours, nothing = (images.sub(partners).abs().mean().item() for images in (made, originals))
    found[f"{name}_l1"] = evaluation.figure(
        ours,
        "lower",
        f"mean absolute difference of pixels between images of {field} in {to} and their partners",
        {"doing nothing": nothing},
        **count,
        targeted=_paired(evaluation, name, to),
        remark=worth(
            f"The L1 distance of {name!r} to the true partner", ours, "lower",
            {"doing nothing": nothing},
        ),
    )  # fmt: skip
    found[f"{name}_rank"] = evaluation.figure(
        pairs.ranks(places, wanted).mean() / (number - 1),
        "lower",
        "share of the other images that are nearer than the partner, on average, by the same "
        "pixels",
        {"doing nothing": pairs.ranks(before, wanted).mean() / (number - 1), "chance": 0.5},
        **count,
    )
    found |= _content(evaluation, name, made, originals, partners, count)
    if field in [task.to for task in model.tasks("translate").values()]:
        again = rounded(model.translate(made, to=field, seed=seed, output="pt"))
        found[f"{name}_and_back"] = evaluation.figure(
            reconstruction_ratio(originals.numpy(), again.numpy(), seed),
            "lower",
            f"distance of images of {field} to what comes back of them over that to others'",
            **count,
            targeted=cycled(evaluation.spec, task.output, model.translation(field).output),
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
        found |= _flat(evaluation, name, field, to, (made, originals, partners), count)
        found |= _others_kept(evaluation, name, domains.label, (made, originals, partners), count)
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


def _paired(evaluation: Evaluation, name: str, to: str) -> bool:
    """Whether the loss is a distance of a translation and its partner."""
    spec = evaluation.spec
    return any(
        isinstance(draw, Image)
        and draw.field == to
        and compared(spec, word, spec.tasks[name].output)
        for word, draw in spec.draws.items()
    )


def _content(
    evaluation: Evaluation, name: str, made: Tensor, originals: Tensor, partners: Tensor,
    count: Counts,
) -> dict[str, Figure]:  # fmt: skip
    """Whether the partner is found by features that were trained on other pictures."""
    net = evaluation.general
    if net is None:
        return {}
    ours, before, wanted = map(net.features, (made, originals, partners))
    number = len(made)
    return {
        f"{name}_retrieval_{net.short}": evaluation.figure(
            pairs.retrieval(ours, wanted, 1),
            "higher",
            f"share whose partner is the nearest of {number:,} by features of {net.name}",
            {"doing nothing": pairs.retrieval(before, wanted, 1), "chance": 1 / number},
            **count,
        )
    }


def _flat(
    evaluation: Evaluation, name: str, field: str, to: str,
    images: tuple[Tensor, Tensor, Tensor], count: Counts,
) -> dict[str, Figure]:  # fmt: skip
    """The domain that a classifier by flat colours, fitted on training images, finds."""
    train = evaluation.train
    some = [
        evaluation.images(train, torch.arange(min(FITTED, train.length(word))), word)
        for word in (field, to)
    ]
    reader = Reader.fit(*some)
    if reader.accuracy < TELLS:  # the domains do not differ in this
        return {}
    made, nothing, partners = (reader(part).mean() for part in images)
    return {
        f"{name}_taken_by_flatness": evaluation.figure(
            made,
            "higher",
            f"share that how flat their colours are takes for {to}, fitted on training images",
            {"doing nothing": nothing, "partners": partners},
            **count,
            bound="partners",
        )
    }


def _others_kept(
    evaluation: Evaluation, name: str, asked: str, images: tuple[Tensor, Tensor, Tensor],
    count: Counts,
) -> dict[str, Figure]:  # fmt: skip
    """Whether all attributes except the changed one are recognized as in the partner."""
    kept: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for field in evaluation.extractor.fields:
        if field == asked:
            continue
        made, before, wanted = (evaluation.extractor.classes(part, field) for part in images)
        if made is not None and before is not None and wanted is not None:
            kept[field] = made == wanted, before == wanted
    if not kept:
        return {}
    each = [np.concatenate([pair[which] for pair in kept.values()]).mean() for which in (0, 1)]
    worst = min(kept, key=lambda field: kept[field][0].mean())
    return {
        f"{name}_others_kept": evaluation.figure(
            each[0],
            "higher",
            f"share of the {len(kept)} other attributes that the extractor sees as in the partner",
            {
                "doing nothing": each[1],
                "all at once": np.all([pair[0] for pair in kept.values()], axis=0).mean(),
                f"{worst}, the worst": kept[worst][0].mean(),
            },
            **count,
        )
    }


METRIC = Metric("translations", lambda evaluation: bool(_directions(evaluation)), _find)
