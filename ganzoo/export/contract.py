"""The description of an exported task: inputs, outputs, ranges, labels, thresholds.

The same JSON is in the metadata of an ONNX file, in the extra file of a `.pt2`, and in a page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ganzoo.models.model import Model
from ganzoo.spec.draws import (
    AnyDraw,
    Categorical,
    Image,
    Label,
    Normal,
    Text,
    Uniform,
    tensor_shape,
)
from ganzoo.spec.tasks import Task
from ganzoo.version import version

FORMAT = 1
"""Version of the contract: raised when a reader of the previous one would fail."""


@dataclass(frozen=True)
class Input:
    """A tensor that a task takes, with the batch axis first; numbers of a task are 0-dim.

    Args:
        name: of the tensor. draw: the draw that it is a batch of; None for a number of the task.
        default: of a number.
    """

    name: str
    draw: AnyDraw | None
    default: float = 0.0

    @property
    def whole(self) -> bool:
        """Whether its numbers are integers, int64."""
        return isinstance(self.draw, Label | Categorical)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return () if self.draw is None else tensor_shape(self.draw)

    def facts(self) -> dict[str, Any]:
        """What a caller has to give, as JSON."""
        batch = [] if self.draw is None else ["batch", *self.shape]
        found: dict[str, Any] = {
            "name": self.name,
            "kind": "number" if self.draw is None else self.draw.kind,
            "dtype": "int64" if self.whole else "float32",
            "shape": batch,
        }
        match self.draw:
            case Image():
                found["range"] = [0, 1]
            case Label(classes=classes, names=names):
                found |= {"classes": classes, "names": list(names)}
            case Categorical(classes=classes):
                found |= {"classes": classes, "drawn": True}
            case Text(encoder=encoder):
                found["encoder"] = encoder
            case Normal(truncation=truncation):
                found |= {"drawn": True, "truncation": truncation}
            case Uniform(low=low, high=high):
                found |= {"drawn": True, "range": [low, high]}
            case None:
                found["default"] = self.default
            case _:
                pass
        return found


def inputs(model: Model, task: Task) -> list[Input]:
    """The inputs of a task, in order: fields of the data and noise by name, then its numbers."""
    found = [Input(name, model.spec.draws[name]) for name in model.spec.draws_of(task)]
    return found + [Input(name, None, value) for name, value in task.numbers.items()]


def outputs(model: Model, name: str) -> list[dict[str, Any]]:
    """The outputs of the task of that name, in order, as JSON: name, dtype, shape, meaning."""
    task = model.spec.tasks[name]
    match task.kind:
        case "generate" | "reconstruct" | "translate":
            shape = ["batch", *_drawn(model, task)]
            return [_tensor("images", "images", range=[0, 1], shape=shape)]
        case "encode":
            return [_tensor("codes", "codes")]
        case "match":
            return [_tensor("directions", "directions of length 1")]
        case "classify":
            draws = [d for d in model.spec.draws.values() if isinstance(d, Label)]
            names = next((list(d.names) for d in draws if d.field == task.field), [])
            return [_tensor("probabilities", "of each class", range=[0, 1], names=names)]
        case "score":
            found = [_tensor("scores", "higher is stranger", shape=["batch"])]
            if name in model.thresholds:
                found.append({
                    "name": "is_anomaly", "dtype": "bool", "shape": ["batch"],
                    "meaning": "scores above the threshold", "threshold": model.thresholds[name],
                })  # fmt: skip
            if task.map is not None:
                image = next(i for i in inputs(model, task) if isinstance(i.draw, Image))
                shape = ["batch", *image.shape[1:]]
                found.append(_tensor("maps", "how strange each pixel is", shape=shape))
            return found


def contract(model: Model, name: str) -> dict[str, Any]:
    """The whole contract of the task of that name, as JSON."""
    task, config = model.spec.tasks[name], model.config
    takes = inputs(model, task)
    found: dict[str, Any] = {
        "format": FORMAT,
        "ganzoo": version(),
        "model": model.title,
        "task": name,
        "kind": task.kind,
        "expression": task.output,
        "inputs": [one.facts() for one in takes],
        "outputs": outputs(model, name),
        "weights_sha256": model.weights_sha256,
        "licence": config.data.licence,
    }
    if task.to is not None:
        found["to"] = task.to
    if any(isinstance(one.draw, Image) for one in takes):
        found["preprocessing"] = model.preprocessing.to_dict()
    return found


def as_text(facts: Mapping[str, Any]) -> str:
    """JSON on one line, the same for the same facts."""
    return json.dumps(facts, ensure_ascii=False, sort_keys=True, allow_nan=False)


def _drawn(model: Model, task: Task) -> list[int]:
    """The shape of the images of a task, in closed form or found by running a batch of one."""
    from ganzoo.export.function import TaskFunction, example

    made = TaskFunction(model, task)(*example(inputs(model, task), 1).values())
    return list(made[0].shape[1:])


def _tensor(name: str, meaning: str, **more: Any) -> dict[str, Any]:
    facts = {"name": name, "dtype": "float32", "shape": ["batch", None], "meaning": meaning}
    return facts | more
