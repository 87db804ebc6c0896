"""A run that starts from another model's weights: `ganzoo train ... --from NAME`.

A network takes tensors of the same name and shape from the network of its name; all others are
initialized. A published model has the networks that its tasks need, averaged; a run's folder has
all networks as last trained, including the discriminator.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ganzoo import hub
from ganzoo.engine import checkpoint
from ganzoo.engine.training import Training
from ganzoo.errors import TrainingError, choices
from ganzoo.layout import RUN
from ganzoo.models import store
from ganzoo.nn.build import build
from ganzoo.runs.settings import CHECKPOINT
from ganzoo.spec.spec import Spec

Weights = Mapping[str, Mapping[str, Tensor]]
"""Tensors by network, and by their name in it."""


def planned(name: str, spec: Spec) -> dict[str, Any]:
    """The facts of the model that a run starts from: its name, hash, and what fits.

    Args:
        name: of a model, its folder, or the folder of a run.

    Raises:
        TrainingError: nothing of it fits. Others as `from_pretrained`, if there is no such model.
    """
    place = Path(name).expanduser()
    said = str(place.resolve()) if place.is_dir() else name
    weights, sha256 = _read(said)
    fitting = _fitting(weights, _shapes(spec))
    if not any(fitting.values()):
        ours = choices(f"{word} ({len(own)} tensors)" for word, own in _shapes(spec).items())
        theirs = choices(f"{word} ({len(own)} tensors)" for word, own in weights.items())
        raise TrainingError(
            f"--from {name}: none of its tensors has the name and the shape of one here. It has "
            f"the networks {theirs}; this Spec has {ours}. Give the variant the settings that the "
            "model has (`ganzoo diff`)"
        )
    return {"model": said, "sha256": sha256, "networks": matched(weights, spec, fitting)}


def matched(weights: Weights, spec: Spec, fitting: Mapping[str, list[str]]) -> dict[str, str]:
    """For each network of a Spec, how much of it was taken over, in words."""
    said: dict[str, str] = {}
    for name, own in _shapes(spec).items():
        if not own:
            continue
        if name not in weights:
            said[name] = "begins anew: the model has no network of this name"
            continue
        rest = [word for word in own if word not in fitting[name]]
        said[name] = f"{len(fitting[name])} of {len(own)} tensors"
        if rest:
            others = [word for word in rest if word in weights[name]]
            lacking = [word for word in rest if word not in weights[name]]
            parts = [f"of another shape: {choices(others, 3)}"] if others else []
            parts += [f"not in the model: {choices(lacking, 3)}"] if lacking else []
            said[name] += f"; {'; '.join(parts)}"
    return said


def begin(training: Training, start: Mapping[str, Any]) -> None:
    """Give a new training the weights that `planned` described.

    Raises:
        TrainingError: the model there is now another one.
    """
    name, wanted = str(start.get("model")), start.get("sha256")
    weights, sha256 = _read(name)
    if sha256 != wanted:
        raise TrainingError(
            f"the run starts from {name!r} with sha256 {str(wanted)[:12]}..., but that model now "
            f"has {sha256[:12]}...; start a new run, in another folder"
        )
    own = {word: net.state_dict() for word, net in training.networks.items()}
    fitting = _fitting(weights, own)
    training.begin_from(
        {word: {k: weights[word][k] for k in names} for word, names in fitting.items() if names}
    )


def _shapes(spec: Spec) -> Weights:
    return {name: net.state_dict() for name, net in build(spec).items()}


def _fitting(weights: Weights, own: Weights) -> dict[str, list[str]]:
    """The names of tensors that both have in the same shape."""
    return {
        name: [
            word
            for word, value in tensors.items()
            if word in weights.get(name, {}) and weights[name][word].shape == value.shape
        ]
        for name, tensors in own.items()
    }


def _read(name: str) -> tuple[dict[str, dict[str, Tensor]], str]:
    """The weights of a model or of a run, by network, and their hash."""
    folder = Path(name)
    path = folder / CHECKPOINT
    if (folder / RUN).is_file() and path.is_file():
        state, _ = checkpoint.read(path)
        found: dict[str, dict[str, Tensor]] = {}
        for word, value in state.items():
            kind, _, rest = word.partition("/")
            if kind == "networks":
                network, _, key = rest.partition("/")
                found.setdefault(network, {})[key] = value
        return found, str(checkpoint.facts(path)["sha256"])
    model = store.load(hub.resolve(name))
    nets = {word: dict(net.state_dict()) for word, net in model.networks.items()}
    return nets, model.weights_sha256
