"""Updates at work: which weights one trains, its optimizer, its constraint."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ganzoo.nn.modules import Net
from ganzoo.nn.optimizers import Rates, is_foreign, make, set_rates
from ganzoo.spec.schedule import Update


class Updater:
    """One update at work: the weights it trains, its optimizer, its constraint.

    Args:
        rates: numbers of its optimizer that follow the run; the host writes them before a round.
        owner: the update whose optimizer this one steps with, if it has none of its own.
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
        """Whether a device reads all numbers that follow the run from where the host wrote them."""
        kept = {"lr", "betas.0", "betas.1"}
        return set(self.rates) <= kept and not is_foreign(self.optimizer)

    def step(self, update: Update) -> None:
        """Apply the gradients, at the rates that stand in `rates`. `update` is this stage's."""
        # kernels of a CUDA device read the tensors
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
        """What the optimizer remembers, by `parameter/word`; nothing if it is another's."""
        if self.owner:
            return {}
        return {
            f"{index}/{word}": value
            for index, parameter in enumerate(self.parameters)
            for word, value in self.optimizer.state.get(parameter, {}).items()
            if isinstance(value, Tensor)
        }

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up what `state()` gave, on the devices and in the layouts that a live run has."""
        for name, value in state.items():
            index, word = name.split("/")
            parameter = self.parameters[int(index)]
            if word == "step":
                value = value.to(parameter.device)
            else:
                value = torch.empty_like(parameter).copy_(value)
            self.optimizer.state[parameter][word] = value
