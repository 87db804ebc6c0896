"""The state of a run: what a round changes and a checkpoint holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganzoo.data.source import Source
from ganzoo.engine import checkpoint, distribution, heap, identity, settling, threads
from ganzoo.engine.averages import Averages, decay_of
from ganzoo.engine.buckets import Buckets
from ganzoo.engine.draws import Draws, with_names
from ganzoo.engine.losses import Losses, check
from ganzoo.engine.memory import Memory
from ganzoo.engine.numbers import Numbers
from ganzoo.engine.parts import in_parts
from ganzoo.engine.plan import Plan
from ganzoo.engine.precision import Precision, multiplying, resolved
from ganzoo.engine.runner import Runner
from ganzoo.engine.settling import NORMS, SETTLE_BATCHES, average_statistics
from ganzoo.engine.updates import updaters
from ganzoo.engine.writer import Tools
from ganzoo.errors import NonFiniteError, TrainingError
from ganzoo.models.config import ModelConfig
from ganzoo.models.model import Model
from ganzoo.nn.build import build, check_trained, initialize
from ganzoo.nn.convolution import convolutions_for
from ganzoo.nn.optimizers import rates_of
from ganzoo.nn.processes import mix_everywhere
from ganzoo.seed import key
from ganzoo.spec import numbers
from ganzoo.spec.draws import Image
from ganzoo.spec.numbers import Clock
from ganzoo.spec.schedule import Stage, Update, updates_of
from ganzoo.spec.spec import Spec


class Training:
    """The state of a run: networks, optimizers, moving averages, and the number of rounds done.

    Without data it can only hold the contents of a checkpoint.

    Attributes:
        said: the facts that the loaded checkpoint was saved with, see `save`.
        batches: the data that `model` needs, of a run whose data are not at hand; see
            `write_batches`.
        shared_norm: batch norm uses the statistics of the global batch where there are several
            processes; else each uses those of its share, which is faster.
        accumulate: the number of parts in which a process takes its share of the batch, one after
            the other; their gradients are summed before each step. Losses of single samples, and
            their means, equal those of the whole batch; whatever looks at a batch (batch norm,
            minibatch deviation, means inside other expressions) sees one part.
        plugins: distributions whose versions a checkpoint names, beside those that the Spec needs.
        threads: how many threads of the processor its rounds use, and why.
        watched: which rounds (from 1) record the norms of their gradients, for `gradient_norms`;
            rounds that are recorded as graphs record none.
    """

    def __init__(
        self,
        spec: Spec,
        data: Source | None,
        *,
        batch: int,
        seed: int,
        device: torch.device,
        precision: Precision = "auto",
        graph: bool | None = None,
        shared_norm: bool = True,
        accumulate: int = 1,
    ) -> None:
        # first, as it decides which device "cuda" is
        self.rank, self.world = distribution.join_group()
        self.spec, self.seed, self.device = spec, seed, device
        self.data = None if data is None else data.to(device)
        self.plan = Plan(spec)
        self.networks = build(spec)
        check_trained(spec, self.networks)
        self.precision: Precision = resolved(precision, device)
        if device.type == "cpu":
            heap.keep()
        bf16 = self.precision == "bf16"
        for name, net in self.networks.items():
            initialize(net, spec.networks[name], key(seed, "weights", name))
            net.to(device)
            if any(parameter.ndim == 4 for parameter in net.parameters()):
                net.to(memory_format=torch.channels_last)
            net.precision = torch.bfloat16 if bf16 else None
            twice = self.plan.differentiates_twice
            net.convolutions = convolutions_for(net, device, bf16, twice)
        self.shared_norm = shared_norm or self.world == 1
        self.accumulate = accumulate
        share, rest = divmod(batch, self.world)
        if accumulate < 1 or (not rest and share % accumulate):
            raise TrainingError(
                f"{share} samples cannot be taken in {accumulate} equal parts; give another batch, "
                "or another number of parts"
            )
        part = batch // self.world // accumulate
        self.threads = threads.chosen(self.plan, self.networks, part, device)
        if self.world > 1:
            for net in self.networks.values():
                net.several, net.shared_norm = True, shared_norm
                mix_everywhere(net)
        modules = [module for net in self.networks.values() for module in net.modules()]
        norms = [module for module in modules if isinstance(module, NORMS)]
        normed = (batch if self.shared_norm else batch // self.world) // accumulate
        if normed < 2 and norms:
            raise TrainingError("batch norm needs two samples at once; raise the batch")
        for norm in norms:
            if norm.momentum is not None and accumulate > 1:
                # so that running statistics keep their memory in samples
                norm.momentum = 1 - (1 - norm.momentum) ** (1 / accumulate)
        versions = max(self.plan.versions(index) for index in range(len(spec.stages)))
        self.draws = Draws(
            spec, self.data, batch=batch, seed=seed, device=device, versions=versions,
            rank=self.rank, world=self.world,
        )  # fmt: skip
        self.draws.read_ahead()
        self.numbers = Numbers(
            dict.fromkeys(name for stage in spec.stages for name in self._numbers_at(stage, 0, 0)),
            device,
        )
        self.updaters = updaters(spec, self.networks, self.numbers)
        self._buckets = self._averaging() if self.world > 1 else {}
        self.averages = Averages(spec, self.networks, self.numbers)
        self.memory = Memory(
            spec, self.networks.reads, device, world=self.world, share=self.draws.share
        )
        self.tools = Tools(
            number=self._number, recall=self.memory.recall, remember=self.memory.remember,
            everywhere=self.memory.everywhere, averages=self.averages.called,
            several=self.world > 1, turns=accumulate > 1,
        )  # fmt: skip
        self.step = 0
        self.within_round = False
        self.checkpoint: Path | None = None
        self.said: dict[str, Any] = {}
        self.batches: Mapping[str, Tensor] = {}
        self.plugins: tuple[str, ...] = ()
        self.watched: Callable[[int], bool] | None = None
        self._watching = False
        self._norms: dict[str, float] = {}
        self._data_digest = ""
        texts = {
            f"{stage.name}.{update.name}.{term}": spec.with_lets(text)
            for stage in spec.stages
            for update in stage.updates
            for term, text in update.minimize.items()
        }
        self._losses = Losses(max(map(_most_terms, spec.stages)), device, texts=texts)
        self._kept: list[Tensor] = []
        static = graph if graph is not None else device.type == "cuda" and self.world == 1
        static = static and all(updater.recordable for updater in self.updaters.values())
        self.runner = Runner(
            self.draws, self.networks, self._compute, self._state, static=static, tools=self.tools
        )
        self._ends = [
            sum(stage.steps for stage in spec.stages[: index + 1])
            for index in range(len(spec.stages))
        ]
        self._stage = -1
        self._updates: dict[str, Update] = {}

    # ---------------------------------------------------------------------- one round

    def round(self) -> str:
        """Run one round; returns the name of its stage."""
        index, number = self._place(self.step)
        if index != self._stage:
            self._enter(index)
        stage = self.spec.stages[index]
        self.numbers.write(self._numbers_at(stage, number, self.step))
        round = self.plan.round(index, number)
        self._read_ahead()
        self.within_round = True
        self._watching = (
            self.watched is not None and not self.runner.static and self.watched(self.step + 1)
        )
        # denormal numbers (moments of weights that no longer learn) are a hundred times slower on
        # most processors; the caller's own arithmetic is left unchanged
        torch.set_flush_denormal(True)
        try:
            with threads.using(self.threads.number), multiplying(self.precision, self.device):
                terms = self.runner(round, self.step)
        finally:
            torch.set_flush_denormal(False)
        self._losses.keep(self.step, stage.name, round.terms, terms, self.checkpoint)
        self.step += 1
        self.within_round = False
        return stage.name

    def _place(self, step: int) -> tuple[int, int]:
        """The index of its stage, and the number of the round within the stage."""
        index = next(i for i, end in enumerate(self._ends) if step < end)
        return index, step - (self._ends[index] - self.spec.stages[index].steps)

    def _read_ahead(self) -> None:
        if self.draws.ahead is not None:
            self.draws.ahead.ask(
                self.step,
                lambda step: self.draws.mapped(self.plan.round(*self._place(step)).draws),
                self.spec.steps,
            )

    def _numbers_at(self, stage: Stage, number: int, step: int) -> dict[str, float]:
        """The numbers that round `number` of a stage reads; `step` counts rounds of the run."""
        lets, clock = self.spec.let, Clock(number, self.draws.batch, number / stage.steps)
        found = {
            f"rate/{update.name}/{path}": rate
            for update in stage.updates
            for path, rate in rates_of(update.optimizer, lets, clock).items()
        }
        for name, average in self.spec.ema.items():
            found[f"average/{name}"] = 1 - decay_of(average, lets, clock, step)
        for text in self.plan.scheduled(self.spec.stages.index(stage)):
            found[f"run/{text}"] = numbers.value(text, lets, clock)
        return found

    def _number(self, text: str) -> Tensor:
        """A number of a loss, in the default dtype."""
        return self.numbers[f"run/{text}"].to(torch.get_default_dtype())

    def _enter(self, index: int) -> None:
        stage = self.spec.stages[index]
        for name, net in self.networks.items():
            net.train(not (name in stage.freeze or self.spec.is_frozen(name)))
        self._updates = {update.name: update for update in stage.updates}
        self._stage = index
        self.runner.forget()

    def _compute(self, function: Callable[..., None], draw: Callable[..., Any]) -> Tensor:
        """One round, on the current values of the tensors that it reads; returns its loss terms."""
        self._kept = []
        if self.accumulate > 1:
            in_parts(function, draw, self.accumulate, self.updaters, self._step_together)
        else:
            function(draw, self._gradients, self._apply)
        if not self.shared_norm:
            average_statistics(self.networks)
        self.averages.step()
        self.memory.step()
        kept, self._kept = self._kept, []
        return torch.stack(kept) if kept else torch.empty(0, device=self.device)

    def _averaging(self) -> dict[str, Buckets]:
        updates = [update for stage in self.spec.stages for update in stage.updates]
        return {
            name: Buckets(
                updater.parameters, max(len(u.minimize) for u in updates if u.name == name)
            )
            for name, updater in self.updaters.items()
        }

    def _step_together(
        self, name: str, gradients: list[Tensor | None], terms: list[Tensor]
    ) -> None:
        """Step with the gradients of all parts of the batch."""
        if self.world > 1:
            terms = [*self._buckets[name].exchange(gradients, terms).clone().unbind()]
        else:
            self.updaters[name].set_gradients(gradients)
        self._check(name, torch.stack(terms).sum(), terms)
        self._kept += terms
        self._apply(name)

    def _gradients(self, name: str, *terms: Tensor, keep_graph: bool = False) -> None:
        updater = self.updaters[name]
        total = terms[0] if len(terms) == 1 else torch.stack(terms).sum()
        if self.world > 1:
            means = self._buckets[name].average(total, terms, keep_graph).clone()
            self._check(name, means.sum(), means)
            self._kept += means.unbind()
            return
        self._check(name, total, terms)
        gradients = torch.autograd.grad(
            total, updater.parameters, retain_graph=keep_graph, allow_unused=True
        )
        updater.set_gradients(gradients)
        self._kept += [term.detach() for term in terms]

    def _check(self, name: str, total: Tensor, terms: Iterable[Tensor]) -> None:
        """On the CPU, raise NonFiniteError before the step, so that the weights are still good."""
        if self.device.type == "cpu" and not math.isfinite(total.item()):
            names = [(name, term) for term in self._updates[name].minimize]
            values = [term.item() for term in terms]
            stage = self.spec.stages[self._stage].name
            check(self.step, stage, names, values, self.checkpoint, self._losses.texts)

    def _apply(self, name: str) -> None:
        if self._watching:
            self._norms[name] = self.updaters[name].gradient_norm()
        self.updaters[name].step(self._updates[name])

    # --------------------------------------------------------------- looking and saving

    def losses(self) -> dict[str, float]:
        """The latest value of each loss term of this stage, as `update.term`, and of each state
        that is a number, as `state.k`; waits for the device."""
        terms = {
            f"{name}.{term}": value
            for (name, term), value in self._losses.latest(self.checkpoint).items()
            if name in self._updates and term in self._updates[name].minimize
        }
        return terms | {f"state.{name}": value for name, value in self.memory.numbers().items()}

    def gradient_norms(self) -> dict[str, float]:
        """The norm of the gradient of each update of this stage, in the last watched round."""
        return {
            name: norm
            for name, norm in self._norms.items()
            if name in self._updates and math.isfinite(norm)
        }

    def begin_from(self, weights: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Begin with these weights instead of new ones; moving averages start from them, too.

        Args:
            weights: by network, then by name in its state dict; the shapes must be the networks'.

        Raises:
            TrainingError: a round has been run already.
        """
        if self.step:
            raise TrainingError(f"the run stands at round {self.step:,}; weights are given before")
        with torch.no_grad():
            for name, tensors in weights.items():
                own = self.networks[name].state_dict()
                for word, value in tensors.items():
                    own[word].copy_(value)
        self.averages.begin_anew()

    def model(self, batches: int = SETTLE_BATCHES, tasks: Iterable[str] | None = None) -> Model:
        """The current model; a copy.

        Args:
            batches: how many are used to estimate the batch statistics of averaged networks.
            tasks: the names of those that the model is needed for, instead of all; statistics that
                only others need are not estimated.
        """
        networks = build(self.spec, published=True)
        for name, net in networks.items():
            net.to_empty(device=self.device)
            net.load_state_dict(self.networks[name].state_dict())
            self.averages.write(name, net)
        state = {name: self.memory.published(name) for name in self.spec.published_state}
        spec = self.spec if self.data is None else with_names(self.spec, self.data.fields)
        config = ModelConfig(spec=spec)
        if self.data is not None and any(isinstance(d, Image) for d in self.spec.draws.values()):
            config = config.replace(preprocessing=self.data.preprocessing.to_dict())
        model = Model(spec, networks, config, state=state)
        wanted = [*(self.spec.tasks if tasks is None else tasks)]
        settling.settle(
            model, self.data, wanted, batches,
            batch=self.draws.batch, seed=self.seed, instead=self.batches,
        )  # fmt: skip
        return model

    def _state(self) -> dict[str, Tensor]:
        state: dict[str, Tensor] = {}
        for name, net in self.networks.items():
            state |= {f"networks/{name}/{k}": value for k, value in net.state_dict().items()}
        for name, updater in self.updaters.items():
            state |= {f"optimizers/{name}/{k}": value for k, value in updater.state().items()}
        state |= {f"averages/{word}": value for word, value in self.averages.tensors().items()}
        return state | {f"state/{word}": value for word, value in self.memory.tensors().items()}

    def _identity(self) -> dict[str, Any]:
        """The facts that must match when a run is resumed, and those that affect its bits."""
        if not self._data_digest and self.data is not None:
            fields = {draw.field for draw in self.spec.data_draws().values()}
            self._data_digest = self.data.digest(fields)
        return {
            "seed": self.seed,
            "batch": self.draws.batch,
            "Spec": identity.spec_digest(self.spec),
            "data": self._data_digest,
            "precision": self.precision,
            "surroundings": identity.surroundings(
                self.spec,
                self.device,
                self.world,
                self.threads.number,
                self.plugins,
                self.accumulate,
            ),
        }

    def save(self, path: Path, **said: Any) -> Path:
        """Write a checkpoint; `said` is stored in it as JSON, and restored by `load`.

        Raises:
            NonFiniteError: a loss or a weight is not finite.
            OSError: it cannot be written; an older one stays.
        """
        if self.within_round:
            raise TrainingError("a round was interrupted, and a partial round cannot be resumed")
        losses = self._losses.latest(self.checkpoint)
        state = self._state()
        for name, value in state.items():
            # an infinite gradient shows only in the loss of the next step
            if not torch.isfinite(value).all():
                raise NonFiniteError(
                    name, self.step, str(self.checkpoint) if self.checkpoint else None
                )
        if self.rank == 0:
            remembered = {name: len(updater.state()) for name, updater in self.updaters.items()}
            facts = {
                "step": self.step,
                "losses": [[*term, value] for term, value in losses.items()],
                "remembered": remembered,
                "said": said,
            }
            checkpoint.write(path, state, {**facts, **self._identity()})
        self.checkpoint = path
        return path

    def write_batches(self, path: Path) -> None:
        """Write the data that batch statistics of a model are estimated from, unless they are there
        or too many; a checkpoint and this file give its model without the data."""
        wanted = {word: self._identity()[word] for word in ("seed", "batch", "Spec", "data")}
        with suppress(TrainingError):
            if wanted.items() <= checkpoint.facts(path).items():
                return
        path.unlink(missing_ok=True)
        if self.data is not None and (
            batches := settling.kept(
                self.spec, self.data, self.networks, batch=self.draws.batch, seed=self.seed
            )
        ):
            checkpoint.write(path, batches, {"step": 0, "samples": len(self.data), **wanted})

    def load(self, path: Path) -> None:
        """Continue from a checkpoint, as if there had been no interruption.

        Raises:
            TrainingError: it is damaged, of another run, or incomplete.
        """
        state, facts = checkpoint.read(path)
        self.threads = self.threads.of_checkpoint(facts)
        identity.check(path, facts, self._identity())
        self._take_up(path, state, facts)

    def look(self, path: Path) -> None:
        """Take the contents of a checkpoint, whatever data it was trained on, to make its model.

        Raises:
            TrainingError: it is damaged, of another Spec, or incomplete.
        """
        self._take_up(path, *checkpoint.read(path))

    def _take_up(self, path: Path, state: dict[str, Tensor], facts: Mapping[str, Any]) -> None:
        step, total = facts["step"], self.spec.steps
        if not 0 <= step <= total:
            raise TrainingError(
                f"checkpoint {path} stands at step {step:,}, and this run has {total:,}; "
                "give more steps, or start anew"
            )
        checkpoint.check_names(
            path,
            state,
            facts,
            (name for name in self._state() if not name.startswith("optimizers/")),
            self.updaters,
        )
        try:
            for name, net in self.networks.items():
                net.load_state_dict(checkpoint.under(state, f"networks/{name}/"))
            for word, value in self.averages.tensors().items():
                value.copy_(state[f"averages/{word}"])
            for name, updater in self.updaters.items():
                updater.load(checkpoint.under(state, f"optimizers/{name}/"))
            for word, value in self.memory.tensors().items():
                value.copy_(state[f"state/{word}"])
            losses = {(update, term): value for update, term, value in facts["losses"]}
        except (RuntimeError, ValueError, IndexError, TypeError, KeyError) as error:
            raise TrainingError(
                f"checkpoint {path} does not fit this run ({error}); start anew"
            ) from None
        self.runner.forget()  # optimizers now have other tensors
        self.step = step
        self.checkpoint = path
        self.said = dict(facts.get("said") or {})
        self._losses.take_up(losses)
        # of the stage of the last round
        stage = next(s for s, end in zip(self.spec.stages, self._ends, strict=True) if step <= end)
        self._updates = {update.name: update for update in stage.updates}


def _most_terms(stage: Stage) -> int:
    """The most loss terms that a round of the stage computes."""
    return sum(
        item.repeat * len(update.minimize) for item in stage.round for update in updates_of(item)
    )
