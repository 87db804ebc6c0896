"""A run beside a loop that is written out: the same networks, draws and steps, in float64.

What the run does is what people get (plan, states, stages); only the optimizer is plain SGD in
both, so that the second round starts where the first one led.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from ganzoo.data.source import Source
from ganzoo.engine.training import Training
from ganzoo.plugins.host import default
from ganzoo.spec import Spec
from ganzoo.testing import noise
from tests.reference import Loop, Passes

RATE = 0.02
BATCH = 4
ByHand = Callable[[Loop], None]


def small(name: str, *, channels: int = 3, size: int = 16, **settings: Any) -> Spec:
    """A variant that ships, for small images of noise."""
    variant = default().variant(name)(**{"batch": BATCH, **settings})
    return variant.spec(noise(size, channels).fields)


def only(spec: Spec, source: Source) -> Source:
    """The fields of the source that the Spec draws."""
    drawn = {draw.field for draw in spec.data_draws().values()}
    fields = source.fields.replace(fields={field: source.fields[field] for field in drawn})
    return Source("noise", fields, {field: source._array(field) for field in drawn})


class Followed:
    """A run of `spec` in float64, with steps of SGD, and its networks as they began."""

    def __init__(
        self, spec: Spec, source: Source | None = None, size: float = 1.5, rate: float = RATE
    ) -> None:
        assert torch.get_default_dtype() == torch.float64
        self.spec, self.rate = spec, rate
        shape = next(iter(spec.data_draws().values())).shape  # type: ignore[union-attr]
        held = only(spec, source or noise(shape[1], shape[0]))
        torch.set_default_dtype(torch.float32)  # images are, where a dry run makes them
        try:
            self.run = Training(
                spec, held, batch=spec.batch, seed=0, device=torch.device("cpu"), precision="fp32"
            )
        finally:
            torch.set_default_dtype(torch.float64)
        averages = self.run.averages
        for net in (*self.run.networks.values(), *averages.called.values()):
            net.double()
        averages._kept = {name: [kept.double() for kept in some] if name not in averages.called
                          else [*averages.called[name].parameters()]
                          for name, some in averages._kept.items()}  # fmt: skip
        for words in self.run.memory.held.values():
            words |= {w: v.double() if v.is_floating_point() else v for w, v in words.items()}
        whole = self.run.draws.batch_of

        def wide(name: str, raw: tuple[Tensor, ...]) -> Tensor:
            found = whole(name, raw)
            return found.double() if found.is_floating_point() else found

        self.run.draws.batch_of = wide  # type: ignore[method-assign]
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for net in self.run.networks.values():
                for weight in net.parameters():
                    noise_ = torch.randn(weight.shape, generator=generator)
                    if weight.ndim > 1:  # of ordinary size, so that every gradient counts
                        weight.copy_(noise_ * size / weight[0].numel() ** 0.5)
                    else:
                        weight.add_(0.1 * noise_)
        self.nets: dict[str, Any] = deepcopy(dict(self.run.networks))
        self.steps: list[tuple[str, dict[str, Tensor]]] = []
        self.run._apply = self._apply  # type: ignore[method-assign]

    def _apply(self, name: str) -> None:
        found: dict[str, Tensor] = {}
        with torch.no_grad():
            for net in self.run._updates[name].train:
                for path, weight in self.run.networks[net].named_parameters():
                    if weight.grad is not None:
                        found[f"{net}.{path}"] = weight.grad.clone()
                        weight.sub_(self.rate * weight.grad)
                        weight.grad = None
        self.steps.append((name, found))

    def held(self, name: str, word: str = "value") -> Tensor:
        return self.run.memory.held[name][word]


def agree(
    spec: Spec,
    loops: Sequence[ByHand],
    *,
    source: Source | None = None,
    size: float = 1.5,
    rate: float = RATE,
    close: float = 1e-9,
) -> Followed:
    """Rounds of a run and of loops by hand, one loop a round: the same gradients in each step."""
    followed = Followed(spec, source, size, rate)
    run, number = followed.run, 0
    loop = Loop(followed.nets, lambda version, name: run.draws(number, version, (name,))[0], rate)
    for number, by_hand in enumerate(loops):
        followed.steps, loop.steps = [], []
        run.round()
        stage = spec.stages[run._stage]
        for name, net in followed.nets.items():
            net.train(name not in stage.freeze)
        run.runner._seed(number)  # dropout
        with Passes(followed.nets) as passes:
            by_hand(loop)
        planned = run.plan.round(run._stage, 0).passes()
        for net in followed.nets:
            assert planned[net].total <= passes[net], net
        assert [name for name, _ in followed.steps] == [name for name, _ in loop.steps]
        for (name, ours), (_, theirs) in zip(followed.steps, loop.steps, strict=True):
            assert ours.keys() == theirs.keys(), name
            largest = max(gradient.abs().max() for gradient in theirs.values())
            assert 1e-9 < largest < 1e8, (name, largest)
            for key, gradient in theirs.items():
                assert (ours[key] - gradient).abs().max() <= close * largest, (number, name, key)
    return followed
