"""Updates at work: which weights one trains, its optimizer, its constraint."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganzoo.engine import distribution
from ganzoo.nn.modules import Net
from ganzoo.spec.schedule import SGD, Adam, RMSprop, Update


class Updater:
    """One update at work: the weights it trains, its optimizer, its constraint."""

    def __init__(self, update: Update, networks: dict[str, Net]) -> None:
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

    def state(self) -> dict[str, Tensor]:
        """What the optimizer remembers, by `parameter/word`."""
        return {
            f"{index}/{word}": value
            for index, parameter in enumerate(self.parameters)
            for word, value in self.optimizer.state.get(parameter, {}).items()
            if isinstance(value, Tensor)
        }

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up what `state()` gave, on the devices and in the layouts that a live run has."""
        fused = bool(self.optimizer.defaults.get("fused"))
        for name, value in state.items():
            index, word = name.split("/")
            parameter = self.parameters[int(index)]
            if word == "step":  # a fused optimizer counts on the device
                value = value.to(parameter.device if fused else "cpu")
            else:
                value = torch.empty_like(parameter).copy_(value)
            self.optimizer.state[parameter][word] = value


def _optimizer(update: Update, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    match update.optimizer:
        case Adam(lr=lr, betas=betas, eps=eps, weight_decay=decay):
            return torch.optim.Adam(parameters, lr, betas, eps, decay, fused=True)
        case RMSprop(lr=lr, alpha=alpha, eps=eps):
            return torch.optim.RMSprop(parameters, lr, alpha, eps, foreach=True)
        case SGD(lr=lr, momentum=momentum, weight_decay=decay):
            return torch.optim.SGD(parameters, lr, momentum, weight_decay=decay, foreach=True)
