"""The generator that trains: the caller logs, saves and stops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ganzoo.data.given import source
from ganzoo.data.source import Source
from ganzoo.engine import checkpoint
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

    `number` counts rounds from 1, `total` is how many there will be.
    """

    number: int
    total: int
    stage: str
    training: Training

    def losses(self) -> dict[str, float]:
        """The latest value of each loss term, as `update.term`; waits for the device."""
        return self.training.losses()

    def save(self, path: str | Path, **said: Any) -> Path:
        """Write a checkpoint from which `train(..., resume=path)` goes on, bit for bit.

        `said` is kept in it, as JSON.
        """
        return self.training.save(Path(path), **said)

    def model(self) -> Model:
        """The model as it stands, with moving averages applied; a copy of its own."""
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
            float32); `tf32` rounds what CUDA multiplies in float32, which `fp32` never does;
            `auto` is bf16 where the processor multiplies in it, else fp32, and that of the
            checkpoint where there is one.
        graph: record each kind of round as a CUDA graph and replay it: by default on CUDA, in
            one process. On the CPU, where nothing can be recorded, True runs the same function
            on the same static tensors.
        shared_norm: of several processes, which torchrun starts, batch norm takes the statistics
            of the global batch, as one process would; False: of each its share, which is faster.
        accumulate: take the batch in so many parts, one after the other, to need less memory; each
            update still makes one step of all. Batch norm then looks at a part.
        resume: a checkpoint; the run goes on as if it had not stopped. More `steps` than it
            had are fine where the Spec has one stage and no decay.

        augment: what is done to images before a discriminator sees them: `diffaugment`, `ada`,
            `ada,p=0.2`; as `ganzoo.with_augment`, which gives the Spec.

    Raises:
        ShapeError: tensors do not fit; found before the first batch.
        DataError: the data lack a field that the Spec draws.
        TrainingError: no such device, or `resume` is of another run, or damaged.
        NonFiniteError: a loss is NaN or infinite.
    """
    data = source(data)
    spec = spec_of(spec, data.fields)
    spec = with_augment(spec, augment) if augment else spec
    if resume is not None and precision == "auto":  # that was decided when the run began
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
    """All that can be refused about a training, done before its first round; takes what `train`
    takes, and raises what it raises."""
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
    """Run the rounds that are left."""
    total = training.spec.steps
    while training.step < total:
        stage = training.round()
        yield Step(training.step, total, stage, training)
