"""Adam whose rates and betas are tensors on the device, so that a step can be recorded.

torch's fused kernel takes the betas as numbers of the host, and its foreach kernels read tensors
back to the host. Where betas follow the run (as R3GAN's do), a recorded step needs this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class MovingAdam(torch.optim.Adam):
    """Adam (arXiv:1412.6980), with `lr` and both betas as 0-dim tensors.

    Its state has the same keys as torch's. The rates are read at each step.
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        lr: Tensor,
        betas: tuple[Tensor, Tensor],
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        decoupled: bool = False,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay, foreach=True, capturable=True)
        self.rates, self.decoupled = (lr, *betas), decoupled
        self._alike: dict[tuple[int, ...], tuple[list[Tensor], list[list[int]]]] = {}

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        assert closure is None
        group = self.param_groups[0]
        learning = [p for p in group["params"] if p.grad is not None]
        for parameter in learning:
            state = self.state[parameter]
            if not state:
                state["step"] = torch.zeros((), device=parameter.device)
                state["exp_avg"] = torch.zeros_like(parameter)
                state["exp_avg_sq"] = torch.zeros_like(parameter)
        for indices in self._begun_together(learning):
            self._step([learning[index] for index in indices], group["eps"], group["weight_decay"])

    def _begun_together(self, learning: list[Tensor]) -> list[list[int]]:
        """Parameters grouped by their number of steps; asks the device once for each group."""
        steps = [self.state[parameter]["step"] for parameter in learning]
        key = tuple(map(id, steps))
        if key not in self._alike:
            by_count: dict[float, list[int]] = {}
            for index, count in enumerate(count.item() for count in steps):
                by_count.setdefault(count, []).append(index)
            # kept with the tensors, so that others do not get their numbers
            self._alike[key] = steps, list(by_count.values())
        return self._alike[key][1]

    def _step(self, learning: list[Tensor], eps: float, weight_decay: float) -> None:
        lr, beta1, beta2 = self.rates
        gradients = [p.grad for p in learning if p.grad is not None]
        states = [self.state[parameter] for parameter in learning]
        means = [state["exp_avg"] for state in states]
        squares = [state["exp_avg_sq"] for state in states]
        steps = [state["step"] for state in states]
        each: Any = torch
        each._foreach_add_(steps, 1)
        if weight_decay and self.decoupled:
            each._foreach_mul_(learning, 1 - lr * weight_decay)
        elif weight_decay:
            gradients = each._foreach_add(gradients, learning, alpha=weight_decay)
        each._foreach_mul_(means, beta1)
        each._foreach_add_(means, each._foreach_mul(gradients, 1 - beta1))
        each._foreach_mul_(squares, beta2)
        fresh = each._foreach_mul(gradients, gradients)
        each._foreach_mul_(fresh, 1 - beta2)
        each._foreach_add_(squares, fresh)
        below = each._foreach_sqrt(squares)
        each._foreach_div_(below, (1 - beta2 ** steps[0]).sqrt())
        each._foreach_add_(below, eps)
        # the step size is part of the divisor, since that may be a tensor
        each._foreach_mul_(below, (1 - beta1 ** steps[0]) / -lr)
        each._foreach_addcdiv_(learning, means, below)
