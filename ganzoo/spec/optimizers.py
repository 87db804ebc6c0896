"""Optimizers. Each of their numbers may be scheduled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import ConfigDict, Field, SerializeAsAny, model_validator

from ganzoo.errors import SpecError
from ganzoo.spec.frozen import Frozen
from ganzoo.spec.kinds import Kinds
from ganzoo.spec.numbers import Numeric

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Rate = Annotated[float | str, Numeric(gt=0, le=1e6, vanishes=True)]
Positive = Annotated[float | str, Numeric(gt=0, le=1e6)]
NonNegative = Annotated[float | str, Numeric(ge=0, le=1e6)]
Beta = Annotated[float | str, Numeric(ge=0, lt=1)]


class Decay(Frozen):
    """A learning rate that is constant until `start` and then decays to `final`.

    `start` is a fraction of all steps, `final` a fraction of the initial rate; the decay is linear
    or exponential. Other schedules are written as expressions: `cosine(progress, 2e-4, 0)`.
    """

    shape: Literal["linear", "exponential"] = "linear"
    start: Annotated[float, Field(ge=0, lt=1)] = 0.5
    final: Annotated[float, Field(ge=0, le=1)] = 0.0

    @model_validator(mode="after")
    def _reachable(self) -> Decay:
        if self.shape == "exponential" and self.final == 0:
            raise SpecError([("final", "an exponential decay never reaches 0; give a small share")])
        return self

    def factor(self, progress: float) -> float:
        """The fraction of the initial rate at `progress` in [0, 1]."""
        if progress <= self.start:
            return 1.0
        part = (progress - self.start) / (1 - self.start)
        return self.final**part if self.shape == "exponential" else 1 + part * (self.final - 1)


class Optimizer(Frozen):
    """Base of all optimizers. One of a plugin adds `make(parameters, settings)`.

    Fields marked with `Numeric` may be scheduled: before each step, ganzoo writes them into the
    optimizer's `param_groups` under the names of the fields.

        class Lion(Optimizer):
            kind: Literal["lion"] = Field("lion", init=False)
            lr: Annotated[float | str, Numeric(gt=0, le=1)] = 1e-4

            def make(self, parameters, settings):
                return lion_pytorch.Lion(parameters, **settings)
    """

    kind: str = Field(init=False)

    def make(self, parameters: Iterable[Any], settings: Mapping[str, Any]) -> Any:
        """The torch optimizer of `parameters`; `settings` are the values of the fields, by name.

        Everything that it remembers must be a tensor in its `state`, with the shape of the
        parameter or with 0 dimensions.
        """
        raise NotImplementedError(f"optimizer {self.kind!r} has no make(parameters, settings)")


class Adam(Optimizer):
    """Adam (arXiv:1412.6980); weight_decay is an L2 penalty, added to the gradient."""

    kind: Literal["adam"] = Field("adam", init=False)
    lr: Rate = 2e-4
    betas: tuple[Beta, Beta] = (0.5, 0.999)
    eps: Positive = 1e-8
    weight_decay: NonNegative = 0.0
    decay: Decay | None = None


class AdamW(Optimizer):
    """Adam with decoupled weight decay (arXiv:1711.05101)."""

    kind: Literal["adamw"] = Field("adamw", init=False)
    lr: Rate = 2e-4
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: NonNegative = 0.01
    decay: Decay | None = None


class RMSprop(Optimizer):
    """RMSprop; `alpha` is the smoothing constant of the squared gradients."""

    kind: Literal["rmsprop"] = Field("rmsprop", init=False)
    lr: Rate = 5e-5
    alpha: Beta = 0.99
    eps: Positive = 1e-8
    decay: Decay | None = None


class SGD(Optimizer):
    """Stochastic gradient descent, optionally with momentum."""

    kind: Literal["sgd"] = Field("sgd", init=False)
    lr: Rate = 0.1
    momentum: Beta = 0.0
    weight_decay: NonNegative = 0.0
    decay: Decay | None = None


class Shared(Optimizer):
    """The optimizer of another update, `{of: D}`, together with its state.

    Both updates step with it, one after the other, for example where a regularizer is a separate
    update in every 16th round (lazy regularization, arXiv:1912.04958).
    """

    kind: Literal["shared"] = Field("shared", init=False)
    of: Annotated[str, Field(min_length=1, max_length=200)]


class UnknownOptimizer(Optimizer):
    """An optimizer of a plugin that is not installed: kept as written, never constructed."""

    model_config = ConfigDict(extra="allow")
    kind: str = ""

    @classmethod
    def _accepts(cls, key: str) -> bool:
        return True


OPTIMIZERS: dict[str, type[Optimizer]] = {
    cls.model_fields["kind"].default: cls for cls in (Adam, AdamW, RMSprop, SGD, Shared)
}


AnyOptimizer = Annotated[
    SerializeAsAny[Optimizer],
    Kinds(
        "optimizers",
        Optimizer,
        UnknownOptimizer,
        lambda data: "shared" if set(data) == {"of"} else None,
    ),
]
