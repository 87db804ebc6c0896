"""The state of a run: what a round changes, what a checkpoint holds."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ganzoo.data.source import Source
from ganzoo.engine import checkpoint, distribution
from ganzoo.engine.draws import Draws
from ganzoo.engine.plan import Plan
from ganzoo.engine.updates import Updater
from ganzoo.errors import NonFiniteError, TrainingError
from ganzoo.models.model import Model
from ganzoo.nn.build import build, initialize
from ganzoo.seed import key
from ganzoo.spec.schedule import Update
from ganzoo.spec.spec import Spec

Precision = Literal["auto", "fp32", "bf16"]
SETTLE_BATCHES = 50
"""Batches from which the batch statistics of averaged networks are estimated."""

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


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
        self.precision: Precision = "bf16" if bf16 else "fp32"
        for name, net in self.networks.items():
            initialize(net, spec.networks[name], key(seed, "weights", name))
            net.to(device)
            if any(parameter.ndim == 4 for parameter in net.parameters()):
                net.to(memory_format=torch.channels_last)
            net.precision = torch.bfloat16 if bf16 else None
        self.called: dict[str, Any] = dict(self.networks)
        if compile:
            self.called = {name: torch.compile(net) for name, net in self.networks.items()}
        modules = [module for net in self.networks.values() for module in net.modules()]
        if batch // self.world < 2 and any(isinstance(module, _NORMS) for module in modules):
            raise TrainingError("batch norm needs two samples in a process; raise the batch")
        versions = max(self.plan.versions(index) for index in range(len(spec.stages)))
        self.draws = Draws(
            spec, self.data, batch=batch, seed=seed, device=device, versions=versions,
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
            state |= {f"optimizers/{name}/{k}": value for k, value in updater.state().items()}
        for name, averages in self.averages.items():
            state |= {f"averages/{name}/{i}": value for i, value in enumerate(averages)}
        return state

    def _identity(self) -> dict[str, Any]:
        """What a run must share with the one that it goes on from."""
        # how long it lasts says nothing of a round, unless rates fall or stages change on the way
        spec = self.spec.with_steps(1) if self.spec.open_ended else self.spec
        digest = hashlib.sha256(spec.to_json().encode()).hexdigest()
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
            updater.load(_under(state, f"optimizers/{name}/"))
        self.step = facts["step"]
        self.checkpoint = path


def _has_bf16(device: torch.device) -> bool:
    """Whether `device` multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # not in the oldest torch that is supported
    ask = getattr(torch.cpu, "get_capabilities", dict)
    found = ask() if device.type == "cpu" else {}
    return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))


def _under(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): value for k, value in state.items() if k.startswith(prefix)}
