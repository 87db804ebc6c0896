"""`train`: a generator of rounds; the caller logs, saves and stops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ganzoo.data.given import source
from ganzoo.data.source import Source
from ganzoo.engine import checkpoint
from ganzoo.engine.draws import check_names
from ganzoo.engine.precision import Precision
from ganzoo.engine.training import Training
from ganzoo.models.model import Model
from ganzoo.nn.devices import find
from ganzoo.plugins.named import spec_of, with_augment
from ganzoo.spec.spec import Spec
from ganzoo.spec.variant import Variant


@dataclass(frozen=True)
class Step:
    """What `train` yields after each round.

    `number` counts rounds from 1; `total` is the number of all rounds.
    """

    number: int
    total: int
    stage: str
    training: Training

    def losses(self) -> dict[str, float]:
        """The latest value of each loss term, as `update.term`; waits for the device."""
        return self.training.losses()

    def save(self, path: str | Path, **said: Any) -> Path:
        """Write a checkpoint that `train(..., resume=path)` continues from, bit for bit.

        `said` is stored in it, as JSON.
        """
        return self.training.save(Path(path), **said)

    def model(self) -> Model:
        """The current model with moving averages applied; a copy."""
        return self.training.model()


def train(
    spec: Spec | Variant | str,
    data: Any,
    *,
    steps: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
    precision: Precision = "auto",
    graph: bool | None = None,
    shared_norm: bool = True,
    accumulate: int = 1,
    resume: str | Path | None = None,
    augment: str | None = None,
) -> Iterator[Step]:
    """Train `spec` on `data`; yields a `Step` after each round. The caller logs, saves, stops.

        for step in ganzoo.train("dcgan", "digits", steps=500):
            ...
        step.model().generate(16)

    Args:
        spec: a Spec, a variant (`ganzoo.variant("dcgan", width=32)`), the name of a variant, or
            a YAML or JSON file with a Spec.
        data: a `Source`, the name of a data set, an array of images, paths of pictures, or a
            `torch.utils.data.Dataset` (`ganzoo.as_source` says more).
        steps: rounds in all, shared among the stages in proportion; the Spec's by default.
        batch: samples of the global batch; the Spec's by default.
        seed: of everything random; torch's global generator is seeded at each step, too.
        device: by default CUDA where there is one, else the CPU.
        precision: `bf16` computes networks in bfloat16 (weights, losses and optimizers stay
            float32); `tf32` allows TF32 in products of float32 on CUDA, `fp32` does not; `auto` is
            bf16 where the processor multiplies in it, else fp32, or the precision of the checkpoint
            where there is one.
        graph: record each kind of round as a CUDA graph and replay it: by default on CUDA, in
            one process. On the CPU, where nothing can be recorded, True runs the same function
            on the same static tensors.
        shared_norm: with several processes (torchrun), batch norm uses the statistics of the global
            batch, as one process would; False: those of each process's share, which is faster.
        accumulate: process the batch in this many parts, one after the other, to need less memory;
            each update still makes one step for all. Batch norm then sees one part at a time.
        resume: a checkpoint to continue from, as if there had been no interruption. More `steps`
            than before are allowed if the Spec has one stage and no decay.

        augment: what is done to images before a discriminator sees them: `diffaugment`, `ada`,
            `ada,p=0.2`; as `ganzoo.with_augment`, which returns the Spec.

    Raises:
        ShapeError: shapes do not fit; found before the first batch.
        DataError: the data lack a field that the Spec draws, or name its classes otherwise.
        TrainingError: no such device, or `resume` is of another run, or damaged.
        NonFiniteError: a loss is NaN or infinite.
    """
    data = source(data)
    spec = spec_of(spec, data.fields)
    spec = with_augment(spec, augment) if augment else spec
    if resume is None:
        check_names(spec, data.fields)
    elif precision == "auto":  # it was resolved when the run began
        precision = checkpoint.facts(Path(resume)).get("precision", precision)
    training = prepare(
        spec,
        data,
        steps=steps,
        batch=batch,
        seed=seed,
        device=device,
        precision=precision,
        graph=graph,
        shared_norm=shared_norm,
        accumulate=accumulate,
    )
    if resume is not None:
        training.load(Path(resume))
    return rounds(training)


def prepare(
    spec: Spec,
    data: Source | None,
    *,
    steps: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
    precision: Precision = "auto",
    graph: bool | None = None,
    shared_norm: bool = True,
    accumulate: int = 1,
) -> Training:
    """Check everything that can be refused before the first round; takes the arguments of `train`,
    and raises its errors."""
    return Training(
        spec if steps is None else spec.with_steps(steps),
        data,
        batch=batch or spec.batch,
        seed=seed,
        device=find(device),
        precision=precision,
        graph=graph,
        shared_norm=shared_norm,
        accumulate=accumulate,
    )


def rounds(training: Training) -> Iterator[Step]:
    """Run the remaining rounds."""
    total = training.spec.steps
    while training.step < total:
        stage = training.round()
        yield Step(training.step, total, stage, training)
