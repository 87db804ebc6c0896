"""Moving averages of weights during training: for the published model, and for losses to call."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from ganzoo.engine.numbers import Numbers
from ganzoo.nn.modules import Net
from ganzoo.spec import expression as ex
from ganzoo.spec import numbers
from ganzoo.spec.averages import HalfLife
from ganzoo.spec.numbers import Clock
from ganzoo.spec.spec import Spec


def decay_of(
    average: float | str | HalfLife, lets: Mapping[str, str], clock: Clock, step: int
) -> float:
    """The fraction of an average that is kept in one round; `step` counts all rounds of the run."""
    if isinstance(average, HalfLife):
        return HalfLife.decay(numbers.resolve(average.half_life, lets, clock), clock.batch)
    if isinstance(average, str):
        return numbers.value(average, lets, clock)
    # small at first, so that the initial weights are soon forgotten
    return min(average, (1 + step) / (10 + step))


class Averages:
    """The moving averages of a run.

    Attributes:
        called: averages that a loss or a state calls, as networks in evaluation mode. Their batch
    """

    def __init__(self, spec: Spec, networks: Mapping[str, Net], run: Numbers) -> None:
        self.live = {name: networks[name] for name in spec.ema}
        self.weights = {name: run[f"average/{name}"] for name in spec.ema}
        self.called = {name: _copy(networks[name]) for name in _called(spec)}
        self._kept: dict[str, list[Tensor]] = {}
        for name, net in self.live.items():
            kept = self.called[name].parameters() if name in self.called else ()
            self._kept[name] = [*kept] or [p.detach().clone() for p in net.parameters()]

    def step(self) -> None:
        """Update the averages with the weights of this round."""
        for name, averages in self._kept.items():
            live, weight = list(self.live[name].parameters()), self.weights[name]
            if name in self.called:
                self._statistics(name, weight)
            with torch.no_grad():
                if weight.is_cuda:
                    for average, parameter in zip(averages, live, strict=True):
                        average.lerp_(parameter, weight)
                else:
                    # one kernel for all tensors; many small kernels slow small networks down
                    torch._foreach_lerp_(averages, live, weight.item())  # type: ignore[reportPrivateImportUsage]

    @torch.no_grad()
    def begin_anew(self) -> None:
        """Reset each average to the current weights of its network."""
        for name, averages in self._kept.items():
            for average, parameter in zip(averages, self.live[name].parameters(), strict=True):
                average.copy_(parameter)
        for name, net in self.called.items():
            for average, live in zip(net.buffers(), self.live[name].buffers(), strict=True):
                average.copy_(live)

    @torch.no_grad()
    def _statistics(self, name: str, weight: Tensor) -> None:
        pairs = zip(self.called[name].buffers(), self.live[name].buffers(), strict=True)
        for average, live in pairs:
            if average.is_floating_point():
                average.lerp_(live, weight.to(average.dtype))
            else:
                average.copy_(live)

    @torch.no_grad()
    def write(self, name: str, net: Net) -> None:
        """Copy the averaged weights of the network `name` into `net`, if it has any."""
        for parameter, average in zip(net.parameters(), self._kept.get(name, ()), strict=False):
            parameter.copy_(average)

    def tensors(self) -> dict[str, Tensor]:
        """The tensors of a checkpoint: `G/0` is the first weight, `G/statistics/...` a buffer."""
        found = {
            f"{name}/{index}": average
            for name, averages in self._kept.items()
            for index, average in enumerate(averages)
        }
        for name, net in self.called.items():
            found |= {f"{name}/statistics/{key}": value for key, value in net.named_buffers()}
        return found


def _copy(net: Net) -> Net:
    return copy.deepcopy(net).eval().requires_grad_(False)


def _called(spec: Spec) -> Iterator[str]:
    """The networks whose averages are called during training."""
    found: dict[str, None] = {}
    for path, text in spec.expressions():
        if not path.startswith("tasks."):
            for node in ex.walk(ex.parse(text)):
                if isinstance(node, ex.Call) and node.average:
                    found[node.name] = None
    yield from found
