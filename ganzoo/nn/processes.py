"""Values of all processes inside a graph, so that several processes compute what one would.

Each process takes the loss of its own samples, and the common loss is the mean of these losses. An
exchange of values is therefore an operation of all processes together, whose gradient is an
exchange, too: that of `gathered` sums the gradients of all processes for a sample, that of
`everyones_mean` averages them. Both can be differentiated to any order. All processes run the same
graph, hence the same exchanges in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle


def gathered(value: Tensor) -> Tensor:
    """The samples of all processes, in the order of their ranks: (batch / world, ...) to
    (batch, ...)."""
    return _Gather.apply(value)  # type: ignore[reportReturnType]


def own(value: Tensor) -> Tensor:
    """This process's samples of a value of all: the inverse of `gathered`."""
    rank, share = dist.get_rank(), len(value) // dist.get_world_size()
    return value[rank * share : (rank + 1) * share]


def everyones_mean(value: Tensor) -> Tensor:
    """The mean of a value over all processes."""
    return _Mean.apply(value)  # type: ignore[reportReturnType]


def _sum(value: Tensor) -> Tensor:
    """The sum of a value over all processes, in new memory."""
    total = value.detach().clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        # some dtypes cannot be exchanged by every backend
        sent = value.detach().contiguous()
        sent = sent.view(torch.uint8) if sent.dtype == torch.bool else sent
        parts = [torch.empty_like(sent) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, sent)
        return torch.cat(parts).view(value.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return _Scatter.apply(gradients[0])


class _Scatter(torch.autograd.Function):
    """This process's samples of the sum over all processes; the adjoint of `_Gather`."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return own(_sum(value)).clone()  # gloo cannot scatter sums

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return _Gather.apply(gradients[0])


class _Mean(torch.autograd.Function):
    """Its own adjoint."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return _sum(value).div_(dist.get_world_size())

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return _Mean.apply(gradients[0])


def on_all_samples(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that mixes the samples of a batch, given those of all processes.

    Its results for each sample are cut to this process's samples; a value without samples is the
    same in all processes.
    """

    def called(*values: Any, **noise: Any) -> Any:
        tensors = [v for v in (*values, *noise.values()) if isinstance(v, Tensor) and v.ndim]
        batch = len(tensors[0])
        found = function(*map(_all, values), **{key: _all(value) for key, value in noise.items()})
        whole = batch * dist.get_world_size()
        return own(found) if found.ndim and len(found) == whole else found

    return called


def _all(value: Any) -> Any:
    return gathered(value) if isinstance(value, Tensor) and value.ndim else value


def mix_everywhere(net: nn.Module) -> list[RemovableHandle]:
    """Give layers that mix samples those of all processes; `AsOne` does so for batch norm."""
    handles: list[RemovableHandle] = []
    for module in net.modules():
        if getattr(getattr(module, "_layer", None), "mixes", False):
            handles.append(module.register_forward_pre_hook(_before))
            handles.append(module.register_forward_hook(_after))
    return handles


def _before(module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    return gathered(given[0]), *given[1:]


def _after(module: nn.Module, given: tuple[Any, ...], found: Tensor) -> Tensor:
    return own(found)


class AsOne(TorchFunctionMode):
    """Batch norm by the statistics of all processes, and random numbers of a single process: drawn
    for the whole batch, from one seed, and cut to this process's share, whoever asks for them.

    The gradient of `F.batch_norm` knows one process; this one is written in plain operations, so
    that autograd derives gradients of any order.

    Args:
        norm: whether statistics are shared.
    """

    def __init__(self, norm: bool = True) -> None:
        super().__init__()
        self.norm = norm

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        more = dict(kwargs or {})
        if func is F.batch_norm and self.norm:
            return _batch_norm(*args, **more)
        if func in _DROPOUTS:
            return _dropout(func, *args, **more)
        if func in (torch.rand_like, torch.randn_like):
            return own(func(_of_all(args[0]), *args[1:], **more))
        if func in _FILLED:
            return args[0].copy_(own(func(_of_all(args[0]), *args[1:], **more)))
        return func(*args, **more)


_FILLED = (
    torch.Tensor.random_, torch.Tensor.normal_, torch.Tensor.uniform_, torch.Tensor.bernoulli_,
)  # fmt: skip
_DROPOUTS = (F.dropout, F.dropout1d, F.dropout2d, F.alpha_dropout)


def _of_all(value: Tensor) -> Tensor:
    """An uninitialized batch of all processes, in the memory format of `value`."""
    whole = value.new_empty((dist.get_world_size() * len(value), *value.shape[1:]))
    last = value.ndim == 4 and value.is_contiguous(memory_format=torch.channels_last)
    return whole.to(memory_format=torch.channels_last) if last else whole


def _dropout(
    func: Any, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    if not training or not p:
        return input
    if func is F.alpha_dropout:
        return own(func(gathered(input), p, True))
    return input * own(func(torch.ones_like(_of_all(input)), p, True))


def _batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """The signature of `F.batch_norm`."""
    if not training:
        with torch._C.DisableTorchFunction():
            return F.batch_norm(
                input, running_mean, running_var, weight, bias, training, momentum, eps
            )
    axes = [0, *range(2, input.ndim)]
    # statistics in float32, whatever the input type
    x = input if input.dtype == torch.float64 else input.float()
    variances, means = torch.var_mean(x, axes, correction=0)
    # shares have one size, so the variance of all is the mean of theirs plus that of the means
    means, variances = gathered(torch.stack((means, variances))[None]).unbind(1)
    mean = means.mean(0)
    variance = variances.mean(0) + (means - mean).square().mean(0)
    if running_mean is not None and running_var is not None:
        number = dist.get_world_size() * input.numel() // input.shape[1]
        with torch.no_grad():
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_var.lerp_((variance * (number / (number - 1))).to(running_var.dtype), momentum)
    scale = (variance + eps).rsqrt()
    if weight is not None:
        scale = scale * weight
    shift = -mean * scale
    if bias is not None:
        shift = shift + bias
    shape = [1, -1, *[1] * (input.ndim - 2)]
    return torch.addcmul(shift.view(shape), x, scale.view(shape)).to(input.dtype)
