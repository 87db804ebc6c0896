"""Training: the state of a run, one round after the other, and the generator around them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ganzoo.build import build, initialize
from ganzoo.data.source import Source
from ganzoo.engine import checkpoint, distribution
from ganzoo.engine.draws import Draws
from ganzoo.errors import NonFiniteError, TrainingError
from ganzoo.model import Model
from ganzoo.modules import Net
from ganzoo.plan import Plan
from ganzoo.seed import key
from ganzoo.spec.schedule import SGD, Adam, RMSprop, Update
from ganzoo.spec.spec import Spec

Precision = Literal["auto", "fp32", "bf16"]
SETTLE_BATCHES = 50
"""Batches from which the batch statistics of averaged networks are estimated."""


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

    def save(self, path: str | Path) -> Path:
        """Write a checkpoint from which `train(..., resume=path)` goes on, bit for bit."""
        return self.training.save(Path(path))

    def model(self) -> Model:
        """The model as it stands, with moving averages applied; a copy of its own."""
        return self.training.model()


def train(
    spec: Spec,
    data: Source,
    *,
    steps: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
    precision: Precision = "auto",
    compile: bool = False,
    resume: str | Path | None = None,
) -> Iterator[Step]:
    """Train `spec` on `data`; yields a `Step` after each round. The caller logs, saves, stops.

    Args:
        steps: rounds in all, shared among the stages in proportion; the Spec's by default.
        batch: samples of the global batch; the Spec's by default.
        seed: of everything random; torch's global generator is seeded at each step, too.
        device: by default CUDA where there is one, else the CPU.
        precision: `bf16` computes networks in bfloat16 (weights, losses and optimizers stay
            float32); `auto` is bf16 where the processor multiplies in it, else fp32.
        compile: let torch.compile fuse the networks; minutes of start-up, for long runs.
        resume: a checkpoint; the run goes on as if it had not stopped.

    Raises:
        ShapeError: tensors do not fit; found before the first batch.
        DataError: the data lack a field that the Spec draws.
        NonFiniteError: a loss is NaN or infinite.
    """
    if steps is not None:
        spec = spec.with_steps(steps)
    training = Training(
        spec,
        data,
        batch=batch or spec.batch,
        seed=seed,
        device=torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu")),
        precision=precision,
        compile=compile,
    )
    if resume is not None:
        training.load(Path(resume))
    return _steps(training)


def _steps(training: Training) -> Iterator[Step]:
    total = training.spec.steps
    while training.step < total:
        stage = training.round()
        yield Step(training.step, total, stage, training)


_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class Updater:
    """One update at work: the weights it trains, its optimizer, its constraint."""

    def __init__(self, update: Update, networks: dict[str, Net]) -> None:
        self.update = update
        self.parameters = [p for name in update.train for p in networks[name].parameters()]
        self.optimizer = _optimizer(update, self.parameters)

    def step(self, update: Update, progress: float, world: int) -> None:
        """Apply the gradients. `update` is this stage's, `progress` the share of it done."""
        options = update.optimizer
        rate = options.lr * (options.decay.factor(progress) if options.decay else 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if world > 1:
            distribution.average([p.grad for p in self.parameters if p.grad is not None])
        self.optimizer.step()
        for parameter in self.parameters:
            parameter.grad = None
        if update.clip_weights is not None:
            with torch.no_grad():
                for parameter in self.parameters:
                    parameter.clamp_(-update.clip_weights, update.clip_weights)


def _optimizer(update: Update, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    match update.optimizer:
        case Adam(lr=lr, betas=betas, eps=eps, weight_decay=decay):
            return torch.optim.Adam(parameters, lr, betas, eps, decay, fused=True)
        case RMSprop(lr=lr, alpha=alpha, eps=eps):
            return torch.optim.RMSprop(parameters, lr, alpha, eps, foreach=True)
        case SGD(lr=lr, momentum=momentum, weight_decay=decay):
            return torch.optim.SGD(parameters, lr, momentum, weight_decay=decay, foreach=True)


class Training:
    """The state of a run: networks, optimizers, moving averages, and the number of rounds done."""

    def __init__(
        self,
        spec: Spec,
        data: Source,
        *,
        batch: int,
        seed: int,
        device: torch.device,
        precision: Precision = "auto",
        compile: bool = False,
    ) -> None:
        self.spec, self.data, self.seed, self.device = spec, data.to(device), seed, device
        self.plan = Plan(spec)
        self.rank, self.world = distribution.join_group()
        self.networks = build(spec)
        bf16 = precision == "bf16" or (precision == "auto" and _has_bf16(device))
        for name, net in self.networks.items():
            initialize(net, spec.networks[name], key(seed, "weights", name))
            net.to(device)
            if any(parameter.ndim == 4 for parameter in net.parameters()):
                net.to(memory_format=torch.channels_last)
            net.precision = torch.bfloat16 if bf16 else None
        self.called: dict[str, Any] = dict(self.networks)
        if compile:
            self.called = {name: torch.compile(net) for name, net in self.networks.items()}
        alone = batch // self.world < 2
        if alone and any(
            isinstance(m, _NORMS) for n in self.networks.values() for m in n.modules()
        ):
            raise TrainingError(
                "batch norm needs at least two samples in each process; raise --batch"
            )
        versions = max(self.plan.versions(index) for index in range(len(spec.stages)))
        self.draws = Draws(
            spec, data, batch=batch, seed=seed, device=device, versions=versions,
            rank=self.rank, world=self.world,
        )  # fmt: skip
        self.updaters: dict[str, Updater] = {}
        for update in (update for stage in spec.stages for update in stage.updates):
            self.updaters.setdefault(update.name, Updater(update, self.networks))
        self.averages = {
            name: [parameter.detach().clone() for parameter in self.networks[name].parameters()]
            for name in spec.ema
        }
        self.step = 0
        self.within_round = False
        self.checkpoint: Path | None = None
        self._terms: dict[str, tuple[Tensor, ...]] = {}
        self._pending: list[tuple[int, str, tuple[Tensor, ...]]] = []
        self._rounds: dict[int, Any] = {}
        self._ends = [
            sum(stage.steps for stage in spec.stages[: index + 1])
            for index in range(len(spec.stages))
        ]
        self._stage = -1
        self._updates: dict[str, Update] = {}

    # ---------------------------------------------------------------------- one round

    def round(self) -> str:
        """Run one round; returns the name of its stage."""
        index = next(i for i, end in enumerate(self._ends) if self.step < end)
        if index != self._stage:
            self._enter(index)
        stage = self.spec.stages[index]
        number = self.step - (self._ends[index] - stage.steps)
        self._progress = number / stage.steps
        chance = key(self.seed, self.step, "layers", self.rank)
        # torch.manual_seed asks for every kind of device, and is slow
        if self.device.type == "cpu":
            torch.default_generator.manual_seed(chance)
        else:
            torch.manual_seed(chance)
        self.within_round = True
        # numbers near zero (the moments of weights that no longer learn) cost a hundred times
        # the usual on most processors; the caller's own arithmetic is left as it is
        torch.set_flush_denormal(True)
        try:
            self._run(self.plan.round(index, number))
            self._average()
        finally:
            torch.set_flush_denormal(False)
        self.step += 1
        self.within_round = False
        if self.device.type == "cpu" or len(self._pending) >= 100:
            self._check_finite()
        return stage.name

    def _run(self, round: Any) -> None:
        function = self._rounds.get(id(round))
        if function is None:
            function = self._rounds[id(round)] = round.compile(self.called)
        function(self._draw, self._gradients, self._apply)

    def _enter(self, index: int) -> None:
        self._check_finite()  # what is pending has the names of the stage before
        stage = self.spec.stages[index]
        for name, net in self.networks.items():
            net.train(name not in stage.freeze)
        self._updates = {update.name: update for update in stage.updates}
        self._stage = index

    def _draw(self, version: int, *names: str) -> Any:
        values = self.draws(self.step, version, names)
        return values[0] if len(values) == 1 else values

    def _gradients(self, name: str, *terms: Tensor, keep_graph: bool = False) -> None:
        updater = self.updaters[name]
        total = terms[0] if len(terms) == 1 else torch.stack(terms).sum()
        kept = tuple(term.detach() for term in terms)
        if self.device.type == "cpu" and not math.isfinite(total.item()):
            # before the step, so that the weights are still the good ones
            self._pending.append((self.step, name, kept))
            self._check_finite()
        gradients = torch.autograd.grad(
            total, updater.parameters, retain_graph=keep_graph, allow_unused=True
        )
        for parameter, gradient in zip(updater.parameters, gradients, strict=True):
            parameter.grad = gradient
        self._terms[name] = kept
        if self.device.type != "cpu":
            self._pending.append((self.step, name, kept))

    def _apply(self, name: str) -> None:
        self.updaters[name].step(self._updates[name], self._progress, self.world)

    def _average(self) -> None:
        for name, averages in self.averages.items():
            # a short memory at first, so that the first weights are soon forgotten
            decay = min(self.spec.ema[name], (1 + self.step) / (10 + self.step))
            with torch.no_grad():
                live = list(self.networks[name].parameters())
                # one kernel for all tensors; a loop of small ones shows in small networks
                torch._foreach_lerp_(averages, live, 1 - decay)  # type: ignore[reportPrivateImportUsage]

    # --------------------------------------------------------------- looking and saving

    def _check_finite(self) -> None:
        pending, self._pending = self._pending, []
        for step, name, terms in pending:
            for term, value in zip(self._minimized(name), terms, strict=True):
                if not math.isfinite(value.item()):
                    path = f"{self.spec.stages[self._stage].name}.{name}.{term}"
                    saved = str(self.checkpoint) if self.checkpoint else None
                    raise NonFiniteError(path, step + 1, saved)

    def _minimized(self, name: str) -> list[str]:
        return list(self._updates[name].minimize)

    def losses(self) -> dict[str, float]:
        self._check_finite()
        return {
            f"{name}.{term}": value.item()
            for name, terms in self._terms.items()
            if name in self._updates
            for term, value in zip(self._minimized(name), terms, strict=True)
        }

    def model(self) -> Model:
        networks = build(self.spec, published=True)
        for name, net in networks.items():
            net.to_empty(device=self.device)
            net.load_state_dict(self.networks[name].state_dict())
            if name in self.averages:
                with torch.no_grad():
                    for parameter, average in zip(
                        net.parameters(), self.averages[name], strict=True
                    ):
                        parameter.copy_(average)
        model = Model(self.spec, networks)
        self._settle(model)
        return model

    def _settle(self, model: Model) -> None:
        """Estimate batch statistics anew for averaged weights: the old ones are not theirs."""
        norms = [
            module
            for name in self.averages
            if name in model.networks
            for module in model.networks[name].modules()
            if isinstance(module, _NORMS)
        ]
        if not norms:
            return
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean over all batches
            norm.train()
        draws = Draws(
            self.spec, self.data, batch=self.draws.batch, seed=key(self.seed, "settle"),
            device=self.device,
        )  # fmt: skip
        texts = [text for task in self.spec.tasks.values() for _, text in task.expressions]
        for number in range(SETTLE_BATCHES):
            for text in texts:
                names = self.spec.draws_in(text)
                model.evaluate(text, dict(zip(names, draws(number, 0, names), strict=True)))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()

    def _state(self) -> dict[str, Tensor]:
        state: dict[str, Tensor] = {}
        for name, net in self.networks.items():
            state |= {f"networks/{name}/{k}": value for k, value in net.state_dict().items()}
        for name, updater in self.updaters.items():
            for index, parameter in enumerate(updater.parameters):
                for word, value in updater.optimizer.state.get(parameter, {}).items():
                    if isinstance(value, Tensor):
                        state[f"optimizers/{name}/{index}/{word}"] = value
        for name, averages in self.averages.items():
            state |= {f"averages/{name}/{i}": value for i, value in enumerate(averages)}
        return state

    def _identity(self) -> dict[str, Any]:
        """What a run must share with the one that it goes on from."""
        digest = hashlib.sha256(self.spec.to_json().encode()).hexdigest()
        return {"seed": self.seed, "batch": self.draws.batch, "Spec": digest[:16]}

    def save(self, path: Path) -> Path:
        if self.within_round:
            raise TrainingError("a round was broken off, and half a round is no state to resume")
        self._check_finite()
        state = self._state()
        for name, value in state.items():
            # an infinite gradient shows in the loss of the next step only
            if not torch.isfinite(value).all():
                raise NonFiniteError(
                    name, self.step, str(self.checkpoint) if self.checkpoint else None
                )
        if self.rank == 0:
            checkpoint.write(path, state, {"step": self.step, **self._identity()})
        self.checkpoint = path
        return path

    def load(self, path: Path) -> None:
        state, facts = checkpoint.read(path)
        for word, value in self._identity().items():
            if facts.get(word) != value:
                raise TrainingError(
                    f"checkpoint {path} was trained with {word} {facts.get(word)}, and this run "
                    f"has {value}; resume with the same, or start anew"
                )
        for name, net in self.networks.items():
            net.load_state_dict(_under(state, f"networks/{name}/"))
        for name, averages in self.averages.items():
            for index, value in enumerate(averages):
                value.copy_(state[f"averages/{name}/{index}"])
        for name, updater in self.updaters.items():
            fused = bool(updater.optimizer.defaults.get("fused"))
            for index, parameter in enumerate(updater.parameters):
                values = _under(state, f"optimizers/{name}/{index}/")
                if values:
                    updater.optimizer.state[parameter] = {
                        word: _like(value, parameter)
                        if word != "step"
                        # a fused optimizer counts on the device
                        else value.to(parameter.device if fused else "cpu")
                        for word, value in values.items()
                    }
        self.step = facts["step"]
        self.checkpoint = path


def _has_bf16(device: torch.device) -> bool:
    """Whether `device` multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    found = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))


def _under(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): value for k, value in state.items() if k.startswith(prefix)}


def _like(value: Tensor, parameter: Tensor) -> Tensor:
    """`value` on the device and in the memory layout of its parameter, as a live run has it."""
    return torch.empty_like(parameter).copy_(value)
