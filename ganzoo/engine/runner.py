"""How a round is run: call by call, on tensors at fixed addresses, or as one recorded graph."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ganzoo.engine.capture import NotRecordableError, Recorder, State, rehearse
from ganzoo.engine.draws import Draws
from ganzoo.engine.plan import Round
from ganzoo.engine.writer import Tools
from ganzoo.nn.modules import Net
from ganzoo.seed import key

Compute = Callable[[Callable[..., None], Callable[..., Any]], Tensor]
"""A round, given the function that the plan wrote and what gives the draws, to its loss terms."""

Drawn = tuple[int, str]
"""A version of a draw: which of the batches that a round draws under that name."""


class Inputs:
    """The inputs of a round that are new each time. All kinds of rounds share the tensors.

    Only inputs from the host are kept here (row numbers, noise from the generator); the batch is
    computed from them inside the round.
    """

    def __init__(self, draws: Draws) -> None:
        self.draws = draws
        self._kept: dict[Drawn, tuple[Tensor, ...]] = {}

    def write(self, step: int, wanted: Iterable[Drawn]) -> None:
        """Write the draws of step `step`."""
        for version, name in wanted:
            kept = self._kept.get((version, name))
            raw = self.draws.raw(step, version, name, into=kept or ())
            if kept is None:
                copies = tuple(part.to(self.draws.device, copy=True) for part in raw)
                self._kept[version, name] = copies
                continue
            for place, part in zip(kept, raw, strict=True):
                if part is not place:
                    place.copy_(part, non_blocking=True)

    def __call__(self, version: int, *names: str) -> Any:
        """The batches of some draws, from the inputs that were written."""
        made = [self.draws.batch_of(name, self._kept[version, name]) for name in names]
        return made[0] if len(made) == 1 else made


class Runner:
    """Runs the rounds of a plan, each as a function of the tensors that it reads and changes.

    Args:
        compute: one round on the current values of those tensors.
        state: returns all tensors that a round changes.
        static: write the draws to tensors at fixed addresses, and read them from there. On CUDA
            each kind of round is then recorded as a graph and replayed; on other devices the same
            function is called each time.
        recorder: records on CUDA; for tests.
        tools: dependencies of rounds beside draws, gradients and steps.

    Attributes:
        why_not: why rounds are not recorded although that was requested; else empty.
    """

    def __init__(
        self,
        draws: Draws,
        networks: Mapping[str, Net],
        compute: Compute,
        state: State,
        *,
        static: bool,
        recorder: Any = None,
        tools: Tools | None = None,
    ) -> None:
        self.tools = tools
        self.draws, self.networks, self.compute, self.state = draws, networks, compute, state
        self.static, self.why_not = static, ""
        self.inputs = Inputs(draws)
        self._recorder = recorder
        if static and draws.device.type == "cuda" and recorder is None:
            self._recorder = Recorder(draws.device)
        self._functions: dict[int, Callable[..., None]] = {}
        self._recorded: dict[int, Callable[[], Tensor]] = {}

    def forget(self) -> None:
        """Record again: the recorded networks were in another mode, or had other tensors."""
        self._recorded.clear()
        if isinstance(self._recorder, Recorder):
            # a memory pool ends with its last graph, and cannot be used again
            self._recorder = Recorder(self.draws.device)

    def __call__(self, round: Round, step: int) -> Tensor:
        """Run a round; returns its loss terms, (terms,), valid until the next."""
        function = self._functions.get(id(round))
        if function is None:
            function = self._functions[id(round)] = round.compile(self.networks, self.tools)
        if not self.static:
            self._seed(step)
            return self.compute(function, partial(self._draw, step))
        self.inputs.write(step, round.draws)
        run = self._recorded.get(id(round))
        if run is None:
            run = self._recorded[id(round)] = self._record(function)
        self._seed(step)
        return run()

    def _record(self, function: Callable[..., None]) -> Callable[[], Tensor]:
        compute = partial(self.compute, function, self.inputs)
        if self._recorder is None:
            rehearse(compute, self.state)
            return compute
        try:
            return self._recorder.record(compute, self.state, self.networks)
        except NotRecordableError as error:
            self.static, self.why_not, self._recorder = False, str(error), None
            warnings.warn(f"{error}; training continues without it, call by call", stacklevel=2)
            return compute

    def _draw(self, step: int, version: int, *names: str) -> Any:
        values = self.draws(step, version, names)
        return values[0] if len(values) == 1 else values

    def _seed(self, step: int) -> None:
        """Seed the generators that layers such as dropout use."""
        # one seed in all processes; each takes its share of what one process would draw
        chance = key(self.draws.seed, step, "layers", 0)
        device = self.draws.device
        # torch.manual_seed seeds every kind of device, and is slow
        if device.type == "cpu":
            torch.default_generator.manual_seed(chance)
        elif device.type == "cuda":
            torch.default_generator.manual_seed(chance)
            # a replay reads seed and offset from here as it starts
            index = torch.cuda.current_device() if device.index is None else device.index
            torch.cuda.default_generators[index].manual_seed(chance)
        else:
            torch.manual_seed(chance)
