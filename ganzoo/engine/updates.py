"""Updates at work: which weights one trains, its optimizer, its constraint."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganzoo.engine import distribution
from ganzoo.nn.modules import Net
from ganzoo.spec.schedule import SGD, Adam, RMSprop, Update


class Updater:
    """One update at work: the weights it trains, its optimizer, its constraint."""

    def __init__(self, update: Update, networks: dict[str, Net], rate: Tensor) -> None:
        self.parameters = [p for name in update.train for p in networks[name].parameters()]
        self.rate = rate
        self.optimizer = _optimizer(update, self.parameters, rate)

    def step(self, update: Update, world: int) -> None:
        """Apply the gradients, at the rate that stands in `rate`. `update` is this stage's."""
        if not self.rate.is_cuda:  # kernels of other devices take a number
            for group in self.optimizer.param_groups:
                group["lr"] = self.rate.item()
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
        for name, value in state.items():
            index, word = name.split("/")
            parameter = self.parameters[int(index)]
            if word == "step":
                value = value.to(parameter.device)
            else:
                value = torch.empty_like(parameter).copy_(value)
            self.optimizer.state[parameter][word] = value


def rate_of(update: Update, progress: float) -> float:
    """The learning rate of an update when the share `progress` of its stage is done."""
    options = update.optimizer
    return options.lr * (options.decay.factor(progress) if options.decay else 1.0)


def _optimizer(
    update: Update, parameters: list[nn.Parameter], rate: Tensor
) -> torch.optim.Optimizer:
    """On CUDA the rate is read from the tensor at each step, so that a step can be recorded."""
    cuda = rate.is_cuda
    lr = rate if cuda else rate.item()
    match update.optimizer:
        case Adam(betas=betas, eps=eps, weight_decay=decay):
            return torch.optim.Adam(parameters, lr, betas, eps, decay, fused=True, capturable=cuda)
        case RMSprop(alpha=alpha, eps=eps):
            return torch.optim.RMSprop(parameters, lr, alpha, eps, foreach=True, capturable=cuda)
        case SGD(momentum=momentum, weight_decay=decay):
            how = {"fused": True} if cuda else {"foreach": True}
            return torch.optim.SGD(parameters, lr, momentum, weight_decay=decay, **how)
