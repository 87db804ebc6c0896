"""Convolutions whose gradients of any order are convolutions of the same three kinds.

A gradient penalty differentiates a backward pass. The weight gradient that torch then computes is a
forward convolution with a whole feature map as its kernel, for which CUDA's libraries have no fast
kernel (pytorch issue 22577). Here the gradient of the weights is an operation of its own
(`aten::convolution_backward` with a mask), as are the convolution and its transpose, and the
gradients of all three are again these three, of any order and for any number of groups. The idea
is the StyleGAN authors' (conv2d_gradfix). On the CPU torch's own implementation is faster, but not
of grouped convolutions, whose second gradient it takes group by group; and for kernels of one pixel
in bfloat16 it ends the process: oneDNN divides by zero where the map that becomes the kernel has a
multiple of 65,536 places in all, such as 64 images of 32x32 or 16 of 64x64 (seen with torch 2.14 on
processors with AMX).

Let g be the gradient of y = conv(x, w):

    of x: transposed(g, w)      of w: weights(g, x)
    of g in weights(g, x): conv(x, .)      of x in weights(g, x): transposed(g, .)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Gradient = Callable[[Tensor], Tensor]


class Convolutions(TorchFunctionMode):
    """A context in which `conv2d` and `conv_transpose2d` are those of this module.

    Args:
        some: only those with kernels of one pixel, and of groups.
    """

    def __init__(self, some: bool = False) -> None:
        super().__init__()
        self.some = some

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        ours, named = REPLACED.get(func), kwargs or {}
        if ours:
            weight = args[1] if len(args) > 1 else named["weight"]
            groups = args[6] if len(args) > 6 else named.get("groups", 1)
            if not self.some or is_pointwise(weight) or groups > 1:
                return ours(*args, **named)
        return func(*args, **(kwargs or {}))


def convolutions_for(
    net: nn.Module, device: torch.device, bf16: bool, twice: bool = True
) -> Convolutions | None:
    """The context in which a network is trained on a device.

    Args:
        twice: whether gradients of gradients may be taken; else torch's own are as good, and the
            context would cost some percent of a round that calls many small convolutions.
    """
    if device.type == "cuda":
        return Convolutions()
    if not twice:
        return None
    grouped = any(
        isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.groups > 1
        for module in net.modules()
    )
    pointwise = bf16 and any(p.ndim == 4 and is_pointwise(p) for p in net.parameters())
    return Convolutions(some=True) if grouped or pointwise else None


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """As `torch.conv2d`."""
    if isinstance(padding, str) or input.ndim != 4:
        return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)  # type: ignore[reportCallIssue, reportArgumentType]
    form = Form(_pair(stride), _pair(padding), _pair(dilation), False, (0, 0), groups)
    return _in_precision(input, weight, bias, form)


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Tensor:
    """As `torch.conv_transpose2d`."""
    if input.ndim != 4:
        return torch.conv_transpose2d(
            input, weight, bias, stride, padding, output_padding, groups, dilation
        )
    form = Form(_pair(stride), _pair(padding), _pair(dilation), True, _pair(output_padding), groups)
    return _in_precision(input, weight, bias, form)


REPLACED: dict[Any, Callable[..., Tensor]] = {
    torch.conv2d: conv2d,
    torch.conv_transpose2d: conv_transpose2d,
}


def is_pointwise(weight: Tensor) -> bool:
    """Whether `weight` is that of a convolution with a kernel of one pixel."""
    return weight.shape[2:] == (1, 1)


@dataclass(frozen=True)
class Form:
    """All arguments of a convolution except tensors, in the order of `aten::convolution`."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    transposed: bool
    output_padding: tuple[int, int]
    groups: int

    @property
    def arguments(self) -> tuple[Any, ...]:
        return (
            self.stride, self.padding, self.dilation, self.transposed, self.output_padding,
            self.groups,
        )  # fmt: skip

    def back(self, gradient: Sequence[int], input: Sequence[int], kernel: Sequence[int]) -> Form:
        """The form of the transposed map, from sizes `gradient` back to sizes `input`."""
        if self.transposed:
            return replace(self, transposed=False, output_padding=(0, 0))
        # a strided convolution ignores rows at the end, which its output size does not show
        missing = tuple(
            n - ((g - 1) * s - 2 * p + d * (k - 1) + 1)
            for n, g, s, p, d, k in zip(
                input, gradient, self.stride, self.padding, self.dilation, kernel, strict=True
            )
        )
        return replace(self, transposed=True, output_padding=missing)


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    return (value[0], value[-1])


def _in_precision(input: Tensor, weight: Tensor, bias: Tensor | None, form: Form) -> Tensor:
    device = input.device.type
    if torch.is_autocast_enabled(device):
        kind = torch.get_autocast_dtype(device)
        input, weight = input.to(kind), weight.to(kind)
        bias = None if bias is None else bias.to(kind)
        with torch.autocast(device, enabled=False):
            return convolution(input, weight, bias, form)
    return convolution(input, weight, bias, form)


def convolution(x: Tensor, w: Tensor, bias: Tensor | None, form: Form) -> Tensor:
    """`aten::convolution` of (batch, channels, height, width), differentiable at any order."""
    with torch.no_grad():
        y = torch.ops.aten.convolution(x, w, bias, *form.arguments)
    if not torch.is_grad_enabled():
        return y
    back = form.back(y.shape[2:], x.shape[2:], w.shape[2:])
    same_x, same_w = _guard(x), _guard(w)
    return _with_gradients(
        y,
        (x, lambda g: convolution(g, same_w(), None, back)),
        (w, lambda g: weight_gradient(g, same_x(), w.shape, form)),
        bias=bias,
    )


def weight_gradient(g: Tensor, x: Tensor, shape: torch.Size, form: Form) -> Tensor:
    """The gradient of weights of a `shape`, where `g` is that of `convolution(x, w, ..., form)`."""
    with torch.no_grad():
        w = torch.ops.aten.convolution_backward(
            # only the shape of the weights counts here
            g, x, x.new_empty(1).expand(shape), None, *form.arguments, (False, True, False),
        )[1]  # fmt: skip
    if not torch.is_grad_enabled():
        return w
    back = form.back(g.shape[2:], x.shape[2:], shape[2:])
    same_g, same_x = _guard(g), _guard(x)
    return _with_gradients(
        w,
        (g, lambda v: convolution(same_x(), v, None, form)),
        (x, lambda v: convolution(same_g(), v, None, back)),
    )


# ------------------------------------------------------- gradients that are not needed are free


def _with_gradients(
    value: Tensor, *parts: tuple[Tensor, Gradient], bias: Tensor | None = None
) -> Tensor:
    """`value` as a function of some tensors, each with the function that computes its gradient."""
    paths = [_Path.apply(part, make, value) for part, make in parts if part.requires_grad]
    if bias is not None and bias.requires_grad:
        paths.append(bias.view(-1, 1, 1).expand(value.shape))
    return _Join.apply([value], *paths) if paths else value  # type: ignore[reportReturnType]


def _guard(tensor: Tensor) -> Callable[[], Tensor]:
    """The tensor when it is needed, or an error if it has been overwritten meanwhile."""
    version = tensor._version

    def same() -> Tensor:
        if tensor._version != version:
            raise RuntimeError(
                "a tensor that a gradient needs was modified by an inplace operation"
            )
        return tensor

    return same


class _Path(torch.autograd.Function):
    """A node from which one input gets its gradient when autograd reaches it; it holds no numbers.

    One Function of several inputs would compute all their gradients each time, since
    `ctx.needs_input_grad` says which inputs require gradients, not which gradients are needed.
    """

    @staticmethod
    def forward(ctx: Any, part: Tensor, gradient: Gradient, value: Tensor) -> Tensor:
        ctx.gradient = gradient
        return value.new_empty(()).expand(value.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return ctx.gradient(gradients[0]), None, None


class _Join(torch.autograd.Function):
    """The value itself; its gradient is passed to all paths unchanged."""

    @staticmethod
    def forward(ctx: Any, held: list[Tensor], *paths: Tensor) -> Tensor:
        return held.pop()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return None, *gradients * (len(ctx.needs_input_grad) - 1)
