"""Figures over the course of training, from the snapshots of a run.

history.json beside a model has one record for each snapshot: the step, the losses as means over the
log's lines since the previous snapshot, and the Fréchet distance.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganzoo.atomic import write_text
from ganzoo.errors import MetricError, SpecError, StoreError
from ganzoo.metrics.report import MAX_REPORT, Figure
from ganzoo.reading import content
from ganzoo.spec.draws import DATA
from ganzoo.spec.json_text import pretty_json, strict_json
from ganzoo.spec.spec import Spec

FILE = "history.json"
COUNT = 2500
"""Samples of each snapshot."""


def follow(
    snapshots: Sequence[Path],
    log: Sequence[Mapping[str, Any]],
    data: str,
    *,
    count: int = COUNT,
    seed: int = 0,
    device: str = "cpu",
    note: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Measure each snapshot of a run.

    Args:
        snapshots: their folders; the names are the steps.
        log: the lines of the run's log.
        data: the data set; the distance is to its training images, since figures during training
            must not use the test split.
        count: samples of each snapshot, and as many training images.
        device: where all of them compute.
    """
    import torch

    from ganzoo.data import load
    from ganzoo.metrics.distributions import frechet_distance
    from ganzoo.metrics.feature_extractors import extractor_of, placed
    from ganzoo.models import store
    from ganzoo.nn.devices import find

    extractor, train = placed(extractor_of(data), find(device)), load(data)
    chosen = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))[:count]
    real = extractor.features(train.batch("image", chosen).add(1).div(2))
    records: list[dict[str, Any]] = []
    before, distance = 0, None
    for folder in sorted(snapshots):
        step = int(folder.name)
        note(f"snapshot {step:,}")
        model = store.load(folder, device=device)
        distance = _distance(model.spec)
        draws = [model.spec.draws[n] for n in model.spec.draws_of(model.task("generate"))]
        given: dict[str, Any] = {
            d.kind: train.batch(d.field, chosen).numpy() for d in draws if isinstance(d, DATA)
        }
        images = model.generate(count, seed=seed, output="pt", **given)
        lines = [line["losses"] for line in log if before < line["step"] <= step]
        means = {term: round(float(np.mean([x[term] for x in lines])), 6) for term in lines[0]}
        fid = frechet_distance(real, extractor.features(images))
        records.append({"step": step, "fid": round(fid, 4), "losses": means})
        before = step
    return {
        "data": data, "split": "train", "count": count, "seed": seed,
        "feature_extractor": {"name": extractor.name, "sha256": extractor.sha256},
        "distance": distance, "records": records,
    }  # fmt: skip


def write(history: Mapping[str, Any], folder: Path) -> Path:
    path = folder / FILE
    write_text(path, pretty_json(dict(history)) + "\n")
    return path


def read(folder: Path) -> dict[str, Any] | None:
    """The result of `follow`; None if there is none, MetricError if it is broken."""
    path = folder / FILE
    if not os.path.lexists(path):
        return None
    try:
        data = strict_json(content(path, MAX_REPORT).decode("utf-8"))
        for record in data["records"]:
            _ = int(record["step"]), float(record["fid"]), dict(record["losses"])
    except (StoreError, SpecError, ValueError, TypeError, KeyError) as error:
        raise MetricError(f"{path} cannot be read ({type(error).__name__}: {error})") from None
    return data


def critic_gaps(history: Mapping[str, Any]) -> list[float] | None:
    """The critic's estimate of the distance at each record; None if there is no critic."""
    term = history.get("distance")
    if "distance" not in history:  # of an earlier ganzoo, which recognized the name of the term
        first = next(iter(history["records"][0]["losses"]))
        term = first if first.endswith(".critic") else None
    if not term:
        return None
    return [-record["losses"][term] for record in history["records"]]


def _distance(spec: Spec) -> str | None:
    """The term in a log that is the negative of a distance, as the Spec says."""
    updates = [update for stage in spec.stages for update in stage.updates if update.distance]
    return f"{updates[0].name}.{updates[0].distance}" if updates else None


def lines(history: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The history in the form of a log, for a plot: the distance, and the critic's gap."""
    gaps = critic_gaps(history)
    return [
        {
            "step": record["step"],
            "losses": {
                "Fréchet distance.fid": record["fid"],
                **({"critic's estimate.gap": gaps[index]} if gaps else {}),
            },
        }
        for index, record in enumerate(history["records"])
        if index  # before any training it dwarfs the rest
    ]


def figures_of(history: Mapping[str, Any]) -> dict[str, Figure]:
    """The course of a critic after its first tenth, in which it is not trained yet."""
    from scipy.stats import spearmanr

    gaps = critic_gaps(history)
    if gaps is None:
        return {}
    start = len(gaps) // 10
    gaps, records = gaps[start:], history["records"][start:]
    fids = [record["fid"] for record in records]
    about = f"over {len(gaps)} snapshots, {history['count']:,} samples of each"
    count = int(history["count"])
    return {
        "gap_fid_correlation": Figure(
            value=float(f"{spearmanr(gaps, fids)[0]:.6g}"),
            better="higher",
            about=f"Spearman correlation of the critic's gap and the Fréchet distance {about}",
            real=count,
            generated=count,
        ),
        "gap_left": Figure(
            value=float(f"{np.mean(gaps[-5:]) / np.max(gaps):.6g}"),
            better="lower",
            about="the critic's gap at the end over its largest (means of 5 records at the end)",
            real=count,
            generated=count,
        ),
    }
