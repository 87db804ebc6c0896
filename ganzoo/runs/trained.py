"""The model of a run: the finished one, or that of its checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch

from ganzoo.data import load
from ganzoo.data.names import preprocessing_of
from ganzoo.data.source import Source
from ganzoo.engine import checkpoint, prepare
from ganzoo.engine.training import Training
from ganzoo.errors import GanzooError, StoreError
from ganzoo.models import store
from ganzoo.models.model import Model
from ganzoo.runs.folder import BEST, trained_steps
from ganzoo.runs.held_out import fit_thresholds, hold_out
from ganzoo.runs.settings import CHECKPOINT, MODEL, Settings
from ganzoo.spec.draws import DATA
from ganzoo.spec.spec import Spec


def trained(folder: str | Path, *, device: str | torch.device = "cpu") -> tuple[Model, str]:
    """The model of the run in a folder, and a line that says which one it is.

    The finished one if there is one; else that of the checkpoint, with the weights and batch
    statistics that the run would have given it there.

    Raises:
        TrainingError: there is no run, or it has no checkpoint yet.
        DataError: batch statistics come from its data, and these cannot be read.
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
            f"the run in {folder} has learnt nothing yet that is kept: no model, and no "
            f"checkpoint; `ganzoo train --resume {folder}` goes on with it"
        )
    facts = checkpoint.facts(path)
    data = held_out = None
    thresholds = any(task.quantile is not None for task in settings.spec.tasks.values())
    missing = ""
    if _needs_data(settings.spec) or thresholds:
        try:
            data, held_out = hold_out(settings.spec, load(settings.data))
        except GanzooError as error:
            if _needs_data(settings.spec):
                raise
            missing = f"; without a threshold, since its data cannot be read ({error})"
    model = _looked_at(settings, data, device, path).model()
    if held_out is not None:
        fit_thresholds(model, held_out)
    step = facts["step"]
    model.config = model.config.replace(
        name=settings.name,
        made_by=dict(settings.made_by),
        preprocessing=preprocessing_of(settings.data).to_dict(),
        data={"name": settings.data, **({"size": len(data)} if data is not None else {})},
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


def _needs_data(spec: Spec) -> bool:
    """Whether the batch statistics of a model of `spec` come from data, not from noise alone."""
    averaged = any(
        layer.kind == "batch_norm"
        for name in spec.ema
        if name in spec.published
        for _, layer in spec.networks[name].walk()
    )
    draws = [spec.draws[name] for task in spec.tasks.values() for name in spec.draws_of(task)]
    return averaged and any(isinstance(draw, DATA) for draw in draws)
