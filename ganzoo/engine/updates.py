"""Updates at run time: the trained weights, the optimizer, the constraint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ganzoo.engine.numbers import Numbers
from ganzoo.nn.modules import Net
from ganzoo.nn.optimizers import Rates, is_foreign, make, set_rates
from ganzoo.spec.optimizers import Shared
from ganzoo.spec.schedule import Update
from ganzoo.spec.spec import Spec


class Updater:
    """One update at run time: the weights that it trains, its optimizer, its constraint.

    Args:
        rates: numbers of its optimizer that follow the run; the host writes them before a round.
        owner: the update whose optimizer this one shares, if it has none of its own.
    """

    def __init__(
        self,
        update: Update,
        networks: Mapping[str, Net],
        rates: Rates,
        owner: Updater | None = None,
    ) -> None:
        self.parameters = [p for name in update.train for p in networks[name].parameters()]
        self.owner = owner
        self.optimizer, self.rates = (
            (owner.optimizer, owner.rates)
            if owner
            else (make(update.optimizer, self.parameters, rates), rates)
        )

    @property
    def recordable(self) -> bool:
        """Whether the device reads all numbers that follow the run from tensors of the host."""
        kept = {"lr", "betas.0", "betas.1"}
        return set(self.rates) <= kept and not is_foreign(self.optimizer)

    def set_gradients(self, gradients: Sequence[Tensor | None]) -> None:
        """Give each weight its gradient, in the order of `parameters`."""
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = _with_strides_of(parameter, gradient)

    def gradient_norm(self) -> float:
        """The Euclidean norm of all gradients together; waits for the device."""
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norms = torch._foreach_norm(gradients)  # type: ignore[reportPrivateImportUsage]
        return torch.stack([*norms]).norm().item() if norms else 0.0

    def step(self, update: Update) -> None:
        """Apply the gradients, at the current `rates`. `update` is the one of this stage."""
        # CUDA kernels read the tensors
        foreign = is_foreign(self.optimizer)
        told = {k: rate.item() for k, rate in self.rates.items() if foreign or not rate.is_cuda}
        set_rates(self.optimizer, told)
        if update.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.parameters, update.clip_norm, foreach=True)
        self.optimizer.step()
        for parameter in self.parameters:
            parameter.grad = None
        if update.clip_weights is not None:
            with torch.no_grad():
                for parameter in self.parameters:
                    parameter.clamp_(-update.clip_weights, update.clip_weights)

    def state(self) -> dict[str, Tensor]:
        """The tensors of the optimizer, by `parameter/word`; none if it is another update's."""
        if self.owner:
            return {}
        return {
            f"{index}/{word}": value
            for index, parameter in enumerate(self.parameters)
            for word, value in self.optimizer.state.get(parameter, {}).items()
            if isinstance(value, Tensor)
        }

    def load(self, state: dict[str, Tensor]) -> None:
        """Load `state()`, with devices and memory formats of a running optimizer."""
        for name, value in state.items():
            index, word = name.split("/")
            parameter = self.parameters[int(index)]
            if word == "step":
                value = value.to(parameter.device)
            else:
                value = torch.empty_like(parameter).copy_(value)
            self.optimizer.state[parameter][word] = value


def updaters(spec: Spec, networks: Mapping[str, Net], numbers: Numbers) -> dict[str, Updater]:
    """An updater for each update of the Spec, by name."""
    found: dict[str, Updater] = {}
    updates = [update for stage in spec.stages for update in stage.updates]
    # those with an optimizer of their own first, since others share it
    for update in sorted(updates, key=lambda update: isinstance(update.optimizer, Shared)):
        if update.name in found:
            continue
        owner = found[update.optimizer.of] if isinstance(update.optimizer, Shared) else None
        prefix = f"rate/{update.name}/"
        rates = {
            name.removeprefix(prefix): numbers[name]
            for name in numbers.names
            if name.startswith(prefix)
        }
        found[update.name] = Updater(update, networks, rates, owner)
    return found


def _with_strides_of(parameter: Tensor, gradient: Tensor | None) -> Tensor | None:
    """The gradient with the strides of its parameter, which fused CUDA kernels require.

    They differ where a backward pass chose another memory format, or expanded one number.
    """
    if gradient is None or gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)
