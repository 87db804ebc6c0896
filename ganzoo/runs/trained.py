"""The model of a run: the finished one, or that of its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganzoo.data import load
from ganzoo.data.names import preprocessing_of
from ganzoo.data.source import Source
from ganzoo.engine import checkpoint, prepare, settling
from ganzoo.engine.training import Training
from ganzoo.errors import GanzooError, StoreError, TrainingError
from ganzoo.models import store
from ganzoo.models.model import Model
from ganzoo.nn.build import build
from ganzoo.runs.folder import BEST, trained_steps
from ganzoo.runs.held_out import fit_thresholds, hold_out
from ganzoo.runs.settings import BATCHES, CHECKPOINT, MODEL, Settings


def trained(folder: str | Path, *, device: str | torch.device = "cpu") -> tuple[Model, str]:
    """The model of the run in a folder, and a line that says which one it is.

    The finished one if there is one; else that of the checkpoint, with the weights and batch
    statistics that the run would have given it there.

    Raises:
        TrainingError: there is no run, or it has no checkpoint yet.
        DataError: batch statistics come from its data, too many to be kept in its folder, and these
            cannot be read.
    """
    folder = Path(folder)
    settings = Settings.read(folder)
    steps = trained_steps(folder)
    if steps is not None:
        model = store.load(folder / MODEL, device=device)
        return model, f"its model, of {model.config.training.steps or steps:,} rounds"
    path = folder / CHECKPOINT
    if not path.is_file():
        raise StoreError(
            f"the run in {folder} has no model and no checkpoint yet; "
            f"`ganzoo train --resume {folder}` continues it"
        )
    facts = checkpoint.facts(path)
    data = held_out = None
    thresholds = any(task.quantile is not None for task in settings.spec.tasks.values())
    missing = ""
    batches, size = _batches(folder, facts)
    needed = {*settling.drawn(settings.spec, build(settings.spec, published=True))} - {*batches}
    if needed or thresholds:
        try:
            data, held_out = hold_out(settings.spec, load(settings.data))
        except GanzooError as error:
            if needed:
                raise
            missing = f"; without a threshold, since its data cannot be read ({error})"
    training = _looked_at(settings, data, device, path)
    training.batches = batches
    model = training.model()
    if held_out is not None:
        fit_thresholds(model, held_out)
    size = len(data) if data is not None else size
    step = facts["step"]
    model.config = model.config.replace(
        name=settings.name,
        made_by=dict(settings.made_by),
        preprocessing=preprocessing_of(settings.data).to_dict(),
        data={"name": settings.data, **({"size": size} if size is not None else {})},
        training={
            "steps": step,
            "batch": settings.batch,
            "seed": settings.seed,
            "precision": facts.get("precision", settings.precision),
            **({"start": dict(settings.start)} if settings.start else {}),
        },
    )
    kept = sorted((folder / BEST).glob("[0-9]*"))
    best = f"; the best so far by {settings.figure} is in {kept[-1]}" if kept else ""
    return model, f"its checkpoint, of round {step:,} of {settings.steps:,}{missing}{best}"


def _looked_at(
    settings: Settings, data: Source | None, device: str | torch.device, path: Path
) -> Training:
    """The training of a run in the state of its checkpoint."""
    precision = settings.precision
    training = prepare(
        settings.spec, data, steps=settings.steps, batch=settings.batch, seed=settings.seed,
        device=device, precision=precision,  # type: ignore[arg-type]
    )  # fmt: skip
    training.look(path)
    return training


def _batches(folder: Path, facts: Mapping[str, Any]) -> tuple[dict[str, Tensor], int | None]:
    """The data that were kept for the batch statistics of its model, and the size of the data set;
    empty if there are none, or they are damaged, or of another run than the checkpoint of `facts`.
    """
    try:
        found, said = checkpoint.read(folder / BATCHES)
    except TrainingError:
        return {}, None
    same = all(said.get(word) == facts.get(word) for word in ("seed", "batch", "Spec", "data"))
    return (found, said.get("samples")) if same else ({}, None)
