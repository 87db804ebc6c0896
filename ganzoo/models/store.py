"""Model folders: saved atomically, loaded strictly, verified.

    config.json        format version, Spec, origin, sha256 of the weights
    model.safetensors  the networks that the tasks need, moving averages applied
    README.md, metrics.json, samples.png   for people; not needed to load

Reading runs no code from the folder: JSON becomes a Spec, safetensors the weights of the modules
that the Spec describes. Nothing is pickled, and no name in a file is imported.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
from pathlib import Path
from typing import Any, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from ganzoo.atomic import is_leftover, replaced, write_bytes, write_text
from ganzoo.errors import PluginError, StoreError, choices
from ganzoo.layout import CONFIG, WEIGHTS
from ganzoo.models.config import FORMAT, WORDS, Dtype, ModelConfig, lacks, read_config
from ganzoo.models.model import Model
from ganzoo.models.weights import read
from ganzoo.nn import devices
from ganzoo.nn.build import build
from ganzoo.nn.work import given
from ganzoo.spec import vocabulary
from ganzoo.spec.spec import Spec
from ganzoo.version import version

__all__ = [
    "CONFIG",
    "FORMAT",
    "WEIGHTS",
    "Dtype",
    "load",
    "read_config",
    "requirements",
    "save",
    "write",
]

STATE = "state"
"""The prefix of states among the names of weights; no network can have this name."""
MAX_PARAMETERS = 2_000_000_000


def save(
    model: Model,
    folder: str | Path,
    *,
    dtype: Dtype = "float32",
    overwrite: bool = False,
    **facts: Any,
) -> Path:
    """Write a model folder atomically; an old model stays until the new one is complete.

    Other files of the folder (a card, pictures) are kept. Partial files of an interrupted save are
    replaced.

    Args:
        dtype: of the weights on disk; loading gives float32 whatever they were.
        overwrite: replace a model that is there already.
        facts: other facts for config.json: name, made_by, data, training, ...

    Raises:
        StoreError: the folder has other contents, or a model while `overwrite` is False.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file; give a folder")
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / CONFIG).is_file():
            if not _is_half_saved(folder, model):
                raise StoreError(f"{folder} holds other files and no model; give an empty folder")
        elif not overwrite:
            raise StoreError(f"{folder} holds a model already; give another folder, or overwrite")
    with replaced(folder, last=CONFIG) as new:
        if folder.is_dir():
            _keep_others(folder, new)
        write(model, new, dtype=dtype, **facts)
    return folder


def write(model: Model, folder: Path, *, dtype: Dtype = "float32", **facts: Any) -> None:
    """Write the weights, and then `config.json`, into a new folder.

    Takes what `save` takes.
    """
    if dtype not in get_args(Dtype):
        raise StoreError(f"dtype is one of {choices(get_args(Dtype))}, not {dtype!r}")
    if task := next(iter(model.spec.lacking), ""):
        what = f"the model would be saved without the weights of task {task!r}, which"
        raise PluginError(lacks(model.config, what, task))
    tensors = {
        f"{name}.{key}": _stored(value, dtype)
        for name, net in model.networks.items()
        for key, value in net.state_dict().items()
    }
    # in float32: they are few, and means and counts may exceed the range of half precision
    tensors |= {f"{STATE}.{name}": _stored(value, "float32") for name, value in model.state.items()}
    content = to_bytes(tensors, metadata={"format": "pt"})
    config = model.config.replace(
        **facts,
        library_version=version(),
        weights={"sha256": hashlib.sha256(content).hexdigest(), "dtype": dtype},
        requires=requirements(model.spec, model.config),
        spec=model.spec,
    )
    text = config.to_json()
    write_bytes(folder / WEIGHTS, content)
    write_text(folder / CONFIG, text)


def _is_half_saved(folder: Path, model: Model) -> bool:
    """Whether a folder has only the partial files of an interrupted save."""
    halves = (f".{CONFIG}.", f".{WEIGHTS}.")  # as earlier versions named them
    rest = [
        path
        for path in folder.iterdir()
        if not path.name.startswith(halves) and not is_leftover(path)
    ]
    if not rest:
        return True
    if [path.name for path in rest] != [WEIGHTS]:
        return False
    try:  # weights alone may be someone else's
        with safe_open(rest[0], framework="pt") as file:
            return {name.partition(".")[0] for name in file.keys()} <= {*model.networks}  # noqa: SIM118
    except (SafetensorError, OSError):
        return False


def _keep_others(folder: Path, new: Path) -> None:
    """Copy everything except config and weights; as links, where the file system has them."""

    def linked(source: str, target: str) -> None:
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError:
            shutil.copy2(source, target, follow_symlinks=False)

    for path in folder.iterdir():
        if path.name in (CONFIG, WEIGHTS) or is_leftover(path) or path == new:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, new / path.name, symlinks=True, copy_function=linked)
        else:
            linked(str(path), str(new / path.name))


def requirements(spec: Spec, config: ModelConfig | None = None) -> dict[str, dict[str, Any]]:
    """The distributions that provide words of a Spec beyond the core's, and which words.

    Args:
        config: of the folder that the Spec was read from; names the plugins of unknown words.
    """
    said = config.required if config else {}
    unknown = {(word, name) for _, word, name in spec.unknown()}
    used = {("layers", layer.kind) for name in spec.networks for _, layer in spec.layers_of(name)}
    used |= {("states", state.kind) for state in spec.state.values()}
    used |= {("optimizers", update.optimizer.kind) for s in spec.stages for update in s.updates}
    for _, text in spec.expressions():
        used |= {("functions", name) for name in spec.names_in(text) - set(spec.networks)}
    known = vocabulary.core()
    core = {(word, name) for word in WORDS for name in getattr(known, word)}
    found: dict[str, dict[str, Any]] = {}
    for word, name in sorted(used - core):
        provider = said.get((word, name)) if (word, name) in unknown else None
        provider = provider or vocabulary.current().providers.get((word, name))
        if provider:
            found.setdefault(provider, {}).setdefault(word, []).append(name)
    return found


def _stored(value: Tensor, dtype: str) -> Tensor:
    value = value.detach().contiguous().cpu()
    return value.to(getattr(torch, dtype)) if value.is_floating_point() else value


def load(
    folder: str | Path, *, device: str | torch.device = "cpu", limit: float | None = None
) -> Model:
    """Read a model folder.

    Args:
        device: where its networks and states are put.
        limit: how many times the usual work and memory its tasks may take, and how many times
            the usual weights it may have; by default GANZOO_LIMIT, else 1.

    Raises:
        StoreError: no model there, of a newer format, or without the tensors that its Spec needs.
        IntegrityError: the weights are not those that config.json names.
        SpecError: the Spec in config.json breaks the language.
        PluginError: its tasks need a word of a plugin that is not installed; names the plugin.
        TrainingError: there is no such device.
    """
    folder, allowed = Path(folder), given(limit)
    config = read_config(folder)
    spec = config.spec
    where = devices.find(device)
    networks = build(spec, published=True)
    expected = {
        f"{name}.{key}": value
        for name, net in networks.items()
        for key, value in net.state_dict().items()
    }
    expected |= {f"{STATE}.{name}": _empty_state(spec, name) for name in spec.usable_state}
    # what only those tasks need that cannot be run here
    passed_over = {name for name in spec.published if name not in networks}
    unread = {name for name in spec.published_state if name not in spec.usable_state}
    total = sum(value.numel() for value in expected.values())
    if total > allowed * MAX_PARAMETERS:
        raise StoreError(
            f"{folder} needs {total:,} numbers; at most {int(allowed * MAX_PARAMETERS):,} are "
            f"loaded. If you trust it, allow more: limit={math.ceil(total / MAX_PARAMETERS)}"
        )
    assert config.weights is not None  # read_config demands it
    others = [f"{name}." for name in passed_over] + [f"{STATE}.{name}" for name in unread]
    tensors = read(folder / WEIGHTS, config.weights.sha256, expected, tuple(others))
    for name, net in networks.items():
        prefix = f"{name}."
        state = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        net.load_state_dict(state, strict=True, assign=True)
    state = {name: tensors[f"{STATE}.{name}"] for name in spec.usable_state}
    model = Model(spec, networks, config, state=state, work=networks.work, limit=allowed)
    return model.to(where)


def _empty_state(spec: Spec, name: str) -> Tensor:
    """A tensor of the shape and type of a published state, without numbers."""
    with torch.device("meta"):
        held = spec.state[name].tensors({})
        return spec.state[name].value({word: value.to("meta") for word, value in held.items()})
