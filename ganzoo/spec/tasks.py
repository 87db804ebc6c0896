"""Tasks: what the trained model can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, model_validator

from ganzoo.errors import SpecError
from ganzoo.spec.draws import DATA, AnyDraw
from ganzoo.spec.frozen import Frozen, FrozenDict, Identifier, Named
from ganzoo.spec.optimizers import Adam, AnyOptimizer, Optimizer, Shared
from ganzoo.spec.schedule import ExpressionText

TaskKind = Literal["generate", "encode", "reconstruct", "translate", "score", "classify", "match"]
TASK_KINDS: tuple[str, ...] = get_args(TaskKind)


class Task(Frozen):
    """Something that the trained model can do: an expression over draws.

    Noise is drawn from a seed; fields of the data are given by the caller, one of each kind.

    Args:
        kind: generate, encode and translate return the value of the expression (generate takes no
            image, translate changes one); reconstruct, an image of the input's shape; score, an
            anomaly score per image (higher is more anomalous); classify, one logit per class;
            match, an embedding (those of an image and a sentence point in the same direction if
            the two belong together).
        output: the expression.
        map: for score: an anomaly map, an image of the input's shape.
        quantile: for score: the fraction of normal images to accept. A run then holds some images
            out of training, and stores the score below which this fraction of them lies.
        to: for translate: the name of the target domain.
        of: for classify: the label field whose classes are predicted, by default `label`.
        numbers: numbers that its expressions use by name, with their defaults:
            `numbers: {psi: 0.7}`, and `model.generate(psi=0.5)`.
        solve: noise or lets whose values are optimized before `output` is computed. It starts from
            the draw, or from the value of the let.
        minimize: for solve: what is minimized, one number per sample or a mean over samples.
        steps: for solve: the number of steps.
        optimizer: for solve: by default Adam with a learning rate of 0.05.
    """

    kind: TaskKind
    output: ExpressionText
    map: ExpressionText | None = None
    quantile: Annotated[float, Field(gt=0, lt=1)] | None = None
    to: Identifier | None = None
    of: Identifier | None = None
    numbers: Annotated[Named[float], Field(max_length=16)] = Field(default_factory=FrozenDict)
    solve: Annotated[tuple[Identifier, ...], Field(max_length=16)] = ()
    minimize: ExpressionText | None = None
    steps: Annotated[int, Field(ge=1, le=10_000)] = 200
    optimizer: AnyOptimizer | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_is_some(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("solve"), str):  # type: ignore[reportUnknownMemberType]
            return {**value, "solve": (value["solve"],)}  # type: ignore[reportUnknownVariableType]
        return value  # type: ignore[reportUnknownVariableType]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for word in ("map", "quantile"):
            if getattr(self, word) is not None and self.kind != "score":
                raise SpecError([(word, f"a task of kind {self.kind!r} has no {word}; score has")])
        if self.of is not None and self.kind != "classify":
            raise SpecError([("of", f"a task of kind {self.kind!r} has no of; classify has")])
        if self.to is not None and self.kind != "translate":
            raise SpecError([("to", f"a task of kind {self.kind!r} has no to; translate has")])
        if self.to is None and self.kind == "translate":
            text = "this key is required: the name of the domain that the images become part of"
            raise SpecError([("to", text)])
        if bool(self.solve) != (self.minimize is not None):
            lacks = "minimize" if self.solve else "solve"
            text = "solve names what is sought, and minimize what makes it good; give both"
            raise SpecError([(lacks, text)])
        if self.optimizer is not None and not self.solve:
            raise SpecError([("optimizer", "is for what solve seeks, and solve names nothing")])
        if isinstance(self.optimizer, Shared):
            raise SpecError([("optimizer", "a task has no update whose optimizer it could share")])
        return self

    @property
    def field(self) -> str:
        """For classify: the label field whose classes it predicts."""
        return self.of or "label"

    @property
    def solver(self) -> Optimizer:
        """The optimizer of `solve`; by default Adam at 0.05."""
        return self.optimizer or Adam(lr=0.05, betas=(0.9, 0.999))

    @property
    def expressions(self) -> tuple[tuple[str, str], ...]:
        """The expressions of this task, each with its key."""
        return (
            ("output", self.output),
            *((("map", self.map),) if self.map else ()),
            *((("minimize", self.minimize),) if self.minimize else ()),
        )


def wrong_inputs(task: Task, draws: Mapping[str, AnyDraw]) -> tuple[str, str] | None:
    """What is wrong with the inputs of a task, and at which key (of the task itself: empty); None
    if its callers can give them.

    Args:
        draws: the draws that it needs, by name.
    """
    given: dict[str, list[str]] = {}
    for name, draw in draws.items():
        if isinstance(draw, DATA):
            given.setdefault(draw.kind, []).append(name)
    for kind, names in given.items():
        if len(names) > 1:
            own = "; a categorical draw has a name of its own" if kind == "label" else ""
            return "", f"a task takes one {kind}, and this needs {' and '.join(names)}{own}"
    match task.kind:
        case "generate" if "image" in given:
            text = (
                f"generate takes no image, and this needs {given['image'][0]}; what changes an "
                f"image is a task {{kind: translate, to: NAME, output: {task.output!r}}}, where "
                "NAME is the domain that the image becomes part of"
            )
            return "", text
        case "score" | "classify" if "image" not in given:
            return "", f"{task.kind} takes an image, but its expression does not use one"
        case "match" if set(given) not in ({"image"}, {"text"}):
            found = " and ".join(given) or "neither"
            return "", f"match takes either an image or a text, and this takes {found}"
        case _:
            others = [names[0] for kind, names in given.items() if kind != "image"]
    if task.quantile is not None and others:
        text = f"the threshold is computed from images alone, and this needs {others[0]}, too"
        return "quantile", text
    return None
