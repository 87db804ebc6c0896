"""Losses as data: the terms that a discriminator and a generator minimize.

`Loss.apply(spec)` returns an ordinary Spec, so that no other module needs to know about losses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from ganzoo.errors import SpecError, choices, nearest
from ganzoo.spec import expression as ex
from ganzoo.spec.frozen import Frozen, FrozenDict, Identifier, Named, spec_error
from ganzoo.spec.losses.apply import DISCRIMINATOR, FAKE, REAL, WORDS, Applied, exchange
from ganzoo.spec.schedule import ExpressionText, Limit
from ganzoo.spec.spec import Spec

Share = Annotated[float, Field(ge=0, lt=1)]


class Loss(Frozen):
    """The terms that a discriminator and a generator minimize, for any Spec with one of each.

        Loss("hinge", {"real": "hinge(D(x), 1)", "fake": "hinge(D(fake), -1)"},
             {"fool": "-mean(D(fake))"})

    Terms are expressions with three names: `D`, the discriminator or critic as a function of an
    image; `x`, an image of the data; and `fake`, a generated image. Further inputs of a
    discriminator, such as a label, are added automatically.

    Args:
        name: the name for `--loss`.
        discriminator, generator: their terms by name.
        distance: the discriminator's term that is the negative of a distance between data and
            fakes, if there is one; metrics use it.
        numbers: numbers that the terms use by name; `--loss NAME,gamma=2` sets them.
        repeat: the number of discriminator updates in a round.
        clip_weights: the limit to which the discriminator's weights are clipped.
        optimizer, betas: the kind of optimizer of both networks, and Adam's betas, if the loss is
            known to need them. The learning rates of the variant are kept.
        summary: one sentence. source: its origin (arXiv id).
    """

    name: Annotated[str, StringConstraints(strict=True)]
    discriminator: Annotated[Named[ExpressionText], Field(min_length=1, max_length=32)]
    generator: Annotated[Named[ExpressionText], Field(min_length=1, max_length=32)]
    numbers: Named[float] = Field(default_factory=FrozenDict)
    repeat: Annotated[int, Field(ge=1, le=1000)] = 1
    clip_weights: Limit | None = None
    optimizer: Literal["adam", "rmsprop", "sgd"] | None = None
    betas: tuple[Share, Share] | None = None
    summary: Annotated[str, Field(max_length=500)] = ""
    source: Annotated[str, Field(max_length=200)] = ""
    distance: Identifier | None = None

    if TYPE_CHECKING:

        def __init__(
            self,
            name: str,
            discriminator: Mapping[str, str],
            generator: Mapping[str, str],
            numbers: Mapping[str, float] = ...,
            repeat: int = 1,
            clip_weights: float | None = None,
            optimizer: Literal["adam", "rmsprop", "sgd"] | None = None,
            betas: tuple[float, float] | None = None,
            summary: str = "",
            source: str = "",
        ) -> None: ...

    # ------------------------------------------------------------------------- validation

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = [*self._problems()]
        if problems:
            raise SpecError(problems)
        return self

    def _problems(self) -> Iterator[tuple[str, str]]:
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", self.name):
            yield (
                "name",
                f"{self.name!r} is not a name of a loss: a lowercase letter, then lowercase "
                "letters, digits, - or _, at most 40 in all",
            )
        for name in self.numbers:
            if name in WORDS:
                yield f"numbers.{name}", f"the words {choices(WORDS)} have a meaning already"
        if self.betas and self.optimizer != "adam":
            yield "betas", "are Adam's; say optimizer: adam beside them"
        for player, needed in (
            ("discriminator", {DISCRIMINATOR}),
            ("generator", {DISCRIMINATOR, FAKE}),
        ):
            said: set[str] = set()
            wrong = False
            for term, text in getattr(self, player).items():
                try:
                    said |= self._words_in(ex.parse(text))
                except SpecError as error:
                    wrong = True
                    yield f"{player}.{term}", error.problems[0][1]
            if not wrong and (missing := needed - said):
                yield player, f"no term uses {choices(missing)}, so nothing would learn from it"

    def _words_in(self, tree: ex.Expression) -> set[str]:
        """The names of `WORDS` that a term uses; SpecError for any other name."""
        said: set[str] = set()
        allowed = [*WORDS, *self.numbers]
        for node in ex.walk(tree):
            match node:
                case ex.Name(name) if name not in allowed:
                    raise SpecError(
                        f"no {name!r} in a loss{nearest(name, allowed)} allowed: {choices(allowed)}"
                    )
                case ex.Call(name, arguments, output) if name == DISCRIMINATOR:
                    if len(arguments) != 1 or output:
                        raise SpecError(
                            f"{node}: in a loss, {DISCRIMINATOR} takes one image and gives one "
                            f"output, as in {DISCRIMINATOR}({REAL}); labels are added automatically"
                        )
                    said.add(name)
                case ex.Name(name):
                    said.add(name)
                case _:
                    pass
        return said

    # ---------------------------------------------------------------------------- reading

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Make a loss from plain data, as read from JSON or YAML."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise spec_error(error, "Loss", data) from None

    def to_dict(self) -> dict[str, Any]:
        return self.model_dump(mode="json")

    def with_settings(self, settings: Mapping[str, Any]) -> Self:
        """A copy with other `numbers`, `repeat` or `clip_weights`; values may be text."""
        data = self.to_dict()
        allowed = [*self.numbers, "repeat", *(["clip_weights"] if self.clip_weights else [])]
        for name, value in settings.items():
            if name not in allowed:
                raise SpecError(
                    f"loss {self.name!r} has no {name!r}{nearest(name, allowed)} "
                    f"allowed: {choices(allowed)}"
                )
            (data["numbers"] if name in self.numbers else data)[name] = value
        return self.from_dict(data)

    # --------------------------------------------------------------------------- applying

    def apply(self, spec: Spec) -> Spec:
        """`spec` with this loss instead of its own: an ordinary Spec.

        The terms of both networks are replaced, except those of the generator that do not call the
        discriminator. If a penalty does not allow batch norm in the discriminator, layer norm
        replaces it, and minibatch standard deviation is removed. Learning rates are kept.

        Raises:
            SpecError: there is not exactly one generator and one discriminator, or this loss cannot
                be applied to them.
        """
        return self.applied(spec).spec

    def applied(self, spec: Spec) -> Applied:
        """The result of `apply`, with a description of each change."""
        return exchange(spec, self)


_FOOL = {"fool": "bce(D(fake), 1)"}
_TRUE_OR_NOT = {"real": "bce(D(x), 1)", "fake": "bce(D(fake), 0)"}
_DISTANCE = "mean(D(fake)) - mean(D(x))"

LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        Loss(
            "nonsaturating",
            _TRUE_OR_NOT,
            _FOOL,
            summary="Cross-entropy; the generator maximizes the log-probability of real for fakes.",
            source="arXiv:1406.2661",
        ),
        Loss(
            "minimax",
            _TRUE_OR_NOT,
            {"fool": "-bce(D(fake), 0)"},
            summary="Cross-entropy as a two-player game; gradients vanish where D is confident.",
            source="arXiv:1406.2661",
        ),
        Loss(
            "lsgan",
            {"real": "0.5 * mse(D(x), 1)", "fake": "0.5 * mse(D(fake), 0)"},
            {"fool": "0.5 * mse(D(fake), 1)"},
            summary="Least squares against 1 for data and 0 for fakes.",
            source="arXiv:1611.04076",
        ),
        Loss(
            "hinge",
            {"real": "hinge(D(x), 1)", "fake": "hinge(D(fake), -1)"},
            {"fool": "-mean(D(fake))"},
            summary="Hinge loss: outputs are penalized until they are beyond a margin of 1.",
            source="arXiv:1705.02894",
        ),
        Loss(
            "wgan",
            {"critic": _DISTANCE},
            {"critic": "-mean(D(fake))"},
            repeat=5,
            distance="critic",  # type: ignore[reportCallIssue]
            clip_weights=0.01,
            optimizer="rmsprop",
            summary="The Wasserstein distance, estimated by a critic with clipped weights.",
            source="arXiv:1701.07875",
        ),
        Loss(
            "wgan-gp",
            {"critic": _DISTANCE, "penalty": "penalty * gradient_penalty(D, x, fake)"},
            {"critic": "-mean(D(fake))"},
            {"penalty": 10.0},
            repeat=5,
            distance="critic",  # type: ignore[reportCallIssue]
            optimizer="adam",
            betas=(0.5, 0.9),
            summary="The Wasserstein distance, estimated by a critic with a gradient norm near 1.",
            source="arXiv:1704.00028",
        ),
        Loss(
            "rpgan",
            {
                "pair": "mean(softplus(D(fake) - D(x)))",
                "r1": "gamma / 2 * r1(D, x)",
                "r2": "gamma / 2 * r1(D, fake)",
            },
            {"pair": "mean(softplus(D(x) - D(fake)))"},
            {"gamma": 1.0},
            optimizer="adam",
            betas=(0.0, 0.99),
            summary="Relativistic pairing: each image of the data against a fake, with "
            "zero-centred gradient penalties at both; gamma must be tuned for the data.",
            source="arXiv:1807.00734; arXiv:2501.05441",
        ),
    )
}
"""The losses of the core; plugins add others through the hook `ganzoo_losses`."""
