"""Gradient norms of penalized critics, sizes of clipped weights, and meaning of scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ganzoo.metrics.anomalies import auroc
from ganzoo.metrics.evaluation import Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure
from ganzoo.models.images import image_tensor
from ganzoo.models.task_inputs import sample_noise
from ganzoo.spec import expression as ex
from ganzoo.spec.draws import Image, Label, Text


def gradient_norms(
    critic: Callable[..., Tensor],
    real: Sequence[Tensor],
    fake: Sequence[Tensor],
    given: Sequence[Tensor] = (),
    *,
    seed: int = 0,
    batch: int = 500,
) -> np.ndarray:
    """The norm of the critic's gradient at one random point between each real and fake sample.

    One norm over all inputs of the critic together except `given`, (n,); a gradient penalty trains
    it to be 1 (arXiv:1704.00028).
    """
    generator = torch.Generator().manual_seed(seed)
    found: list[Tensor] = []
    for start in range(0, len(real[0]), batch):
        part = slice(start, start + batch)
        share = torch.rand(len(real[0][part]), generator=generator).to(real[0].device)
        points = [
            torch.lerp(b[part], a[part], share.view(-1, *[1] * (a.ndim - 1))).requires_grad_()
            for a, b in zip(real, fake, strict=True)
        ]
        gradients = torch.autograd.grad(critic(*points, *(a[part] for a in given)).sum(), points)
        found.append(torch.cat([gradient.flatten(1) for gradient in gradients], 1).norm(dim=1))
    return torch.cat(found).detach().cpu().numpy()


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    return {**_steepness(evaluation), **_largest_weights(evaluation), **_preferences(evaluation)}


def _steepness(evaluation: Evaluation) -> dict[str, Figure]:
    """The norm of a penalized critic's gradient."""
    found: dict[str, Figure] = {}
    for call in _calls(evaluation, "gradient_penalty"):
        name = call.arguments[0].name  # type: ignore[attr-defined]
        norms = gradient_norms(
            evaluation.model.networks[name],
            *(_values(evaluation, argument) for argument in call.arguments[1:]),
            seed=evaluation.seed,
        )
        found["gradient_norm"] = evaluation.figure(
            norms.mean(),
            "",
            f"mean norm of the gradient of {name} between real and generated images",
            {"target": 1.0, "standard deviation": norms.std()},
            targeted=True,
        )
    return found


def _largest_weights(evaluation: Evaluation) -> dict[str, Figure]:
    """The largest weight of networks whose weights are clipped."""
    networks, found = evaluation.model.networks, dict[str, Figure]()
    for stage in evaluation.spec.stages:
        for update in stage.updates:
            held = [name for name in update.train if name in networks]
            if update.clip_weights and held:
                weights = [weight for name in held for weight in networks[name].parameters()]
                found["largest_weight"] = evaluation.figure(
                    max(float(weight.abs().max()) for weight in weights),
                    "",
                    f"largest absolute weight of {', '.join(held)}",
                    {"clipped to": update.clip_weights},
                    generated=0,
                )
    return found


def _preferences(evaluation: Evaluation) -> dict[str, Figure]:
    """Whether scores find samples stranger than test images."""
    model, found = evaluation.model, dict[str, Figure]()
    # with classes left out, the metric `anomalies` is the better test of a score
    if not model.tasks("generate") or evaluation.left_out:
        return found
    for task, declared in model.tasks("score").items():
        if evaluation.text_of(declared):
            continue
        normal, strange = (
            model.score(images, task=task, seed=evaluation.seed).values
            for images in (evaluation.real, evaluation.generated)
        )
        found[f"{task}_auroc"] = evaluation.figure(
            auroc(normal, strange),
            "",
            f"chance that the task {task!r} finds a sample stranger than a test image",
        )
    return found


def _calls(evaluation: Evaluation, function: str) -> list[ex.Call]:
    """Calls of a function in the losses, whose networks the model has."""
    spec, found = evaluation.spec, dict[str, ex.Call]()
    for path, text in spec.expressions():
        if ".minimize." not in path or not spec.networks_in(text) <= set(evaluation.model.networks):
            continue
        for node in ex.walk(ex.parse(text)):
            if isinstance(node, ex.Call) and node.name == function:
                found[str(node)] = node
    return [*found.values()]


def _values(evaluation: Evaluation, node: ex.Expression) -> list[Tensor]:
    """The value of a penalty's argument for test images and samples, as the Spec defines it."""
    parts = node.items if isinstance(node, ex.Several) else (node,)
    values: dict[str, Tensor] = {}
    for name, draw in evaluation.spec.draws.items():
        match draw:
            case Image():
                values[name] = image_tensor(evaluation.real, draw)
            case Label():
                values[name] = evaluation.test.batch(draw.field, evaluation.rows)
            case Text():
                values[name] = torch.from_numpy(evaluation.captions(draw))
            case _:
                values[name] = sample_noise(draw, evaluation.count, evaluation.seed, name)  # type: ignore[arg-type]
    there = {name: value.to(evaluation.model.device) for name, value in values.items()}
    return [evaluation.model.outputs(str(part), there).clone() for part in parts]


METRIC = Metric("critics", lambda evaluation: True, _find)
