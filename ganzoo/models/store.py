"""Model folders: what is on disk, and back; strict, atomic, checked.

    config.json        format version, Spec, where it comes from, sha256 of the weights
    model.safetensors  the networks that the tasks need, moving averages applied
    README.md, metrics.json, samples.png   for people; not needed to load

Reading runs no code of the folder: JSON into a Spec, safetensors into the modules
that the Spec describes. Nothing is pickled and no name in a file is imported.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from ganzoo.atomic import write_bytes, write_text
from ganzoo.errors import IntegrityError, PluginError, SpecError, StoreError, choices, plain
from ganzoo.layout import CONFIG, MAX_CONFIG, WEIGHTS
from ganzoo.models.model import Model
from ganzoo.nn.build import build
from ganzoo.spec import vocabulary
from ganzoo.spec.spec import Spec, pretty_json, strict_json
from ganzoo.version import DISTRIBUTION, version

FORMAT = 1
STATE = "state"
"""What stands before the names of states among those of weights; no network has this name."""
MAX_PARAMETERS = 2_000_000_000
MAX_VALUES, MAX_DEPTH = 20_000, 100
"""How many values config.json may hold, and how deep in each other."""
Dtype = Literal["float32", "float16", "bfloat16"]


def save(
    model: Model,
    folder: str | Path,
    *,
    dtype: Dtype = "float32",
    overwrite: bool = False,
    **facts: Any,
) -> Path:
    """Write a model folder; weights first, `config.json` last, each whole or not at all.

    Args:
        dtype: of the weights on disk; loading gives float32 whatever they were.
        overwrite: replace a model that is there already.
        facts: what else config.json shall say: name, made_by, data, training, ...

    Raises:
        StoreError: the folder holds something else, or a model while `overwrite` is False.
    """
    folder = Path(folder)
    if dtype not in get_args(Dtype):
        raise StoreError(f"dtype is one of {choices(get_args(Dtype))}, not {dtype!r}")
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file; give a folder")
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / CONFIG).is_file():
            raise StoreError(f"{folder} holds other files and no model; give an empty folder")
        if not overwrite:
            raise StoreError(f"{folder} holds a model already; give another folder, or overwrite")
    tensors = {
        f"{name}.{key}": _stored(value, dtype)
        for name, net in model.networks.items()
        for key, value in net.state_dict().items()
    }
    # in full: they are few, and means and counts may be larger than half precision holds
    tensors |= {f"{STATE}.{name}": _stored(value, "float32") for name, value in model.state.items()}
    content = to_bytes(tensors, metadata={"format": "pt"})
    config = {
        **model.config,
        **facts,
        "format_version": FORMAT,
        "library": "ganzoo",
        "library_version": version(),
        "weights": {"sha256": hashlib.sha256(content).hexdigest(), "dtype": dtype},
        "requires": requirements(model.spec, model.config),
        "spec": model.spec.to_dict(),
    }
    if not config["requires"]:
        del config["requires"]
    first = ("format_version", "library", "library_version", "name")
    ordered = {key: config[key] for key in first if key in config}
    ordered |= {key: value for key, value in config.items() if key not in {*first, "spec"}}
    ordered["spec"] = config["spec"]
    _check_facts(ordered, folder / CONFIG)
    write_bytes(folder / WEIGHTS, content)
    write_text(folder / CONFIG, pretty_json(ordered) + "\n")
    return folder


def requirements(spec: Spec, config: Mapping[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    """The distributions behind the words of a Spec that are not the core's, and which they bring.

    Args:
        config: of the folder that the Spec was read from; it knows words that nobody here does.
    """
    said = _named_requirements(config or {})
    foreign = {(word, name) for _, word, name in spec.foreign()}
    used = {("layers", layer.kind) for name in spec.networks for _, layer in spec.layers_of(name)}
    used |= {("states", state.kind) for state in spec.state.values()}
    used |= {("optimizers", update.optimizer.kind) for s in spec.stages for update in s.updates}
    for _, text in spec.expressions():
        used |= {("functions", name) for name in spec.names_in(text) - set(spec.networks)}
    known = vocabulary.core()
    core = {
        (word, name)
        for word in ("layers", "functions", "optimizers", "states")
        for name in getattr(known, word)
    }
    found: dict[str, dict[str, Any]] = {}
    for word, name in sorted(used - core):
        provider = said.get((word, name)) if (word, name) in foreign else None
        provider = provider or vocabulary.current().providers.get((word, name))
        if provider:
            found.setdefault(provider, {}).setdefault(word, []).append(name)
    return found


def _named_requirements(config: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Which distribution brings which word, as config.json says it; a stranger's text, checked."""
    said = config.get("requires")
    found: dict[tuple[str, str], str] = {}
    for distribution, brings in said.items() if isinstance(said, dict) else ():
        # it ends up in a command that people copy
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", distribution, re.ASCII):
            continue
        for word in ("layers", "functions", "optimizers", "states"):
            names = brings.get(word) if isinstance(brings, dict) else None
            for name in names if isinstance(names, list) else ():
                if isinstance(name, str):
                    found[word, name] = distribution
    return found


def _check_known(spec: Spec, config: Mapping[str, Any]) -> None:
    """Raise where the tasks need a word that nobody here knows; the losses may.

    Raises:
        PluginError: `requires` names the plugin that brings it.
        SpecError: nothing does, so that it is no word at all.
    """
    foreign = list(spec.foreign())
    if not foreign:
        return
    used = {
        name
        for task in spec.tasks.values()
        for _, text in task.expressions
        for name in spec.names_in(text)
    }
    needed: list[tuple[str, str, str]] = []
    for path, word, name in foreign:
        room, _, rest = path.partition(".")
        if room == "tasks" or (
            room in {"let", "networks", "state"} and rest.partition(".")[0] in used
        ):
            needed.append((path, word, name))
    said = _named_requirements(config)
    nameless = [
        (f"spec.{path}", f"no {word.rstrip('s')} {name!r} is known here")
        for path, word, name in needed
        if (word, name) not in said
    ]
    if nameless:
        raise SpecError(nameless)
    if needed:
        words = ", ".join(sorted({f"{word.rstrip('s')} {name!r}" for _, word, name in needed}))
        plugins = " ".join(sorted({said[word, name] for _, word, name in needed}))
        raise PluginError(
            f"this model needs the {words}, which a plugin brings that is not here or does not "
            f"load (`ganzoo plugins`). Its config.json names it: pip install {plugins}\n"
            "  A plugin is code that will run; install those of people whom you trust"
        )


def _stored(value: Tensor, dtype: str) -> Tensor:
    value = value.detach().contiguous().cpu()
    return value.to(getattr(torch, dtype)) if value.is_floating_point() else value


def load(folder: str | Path, *, device: str | torch.device = "cpu") -> Model:
    """Read a model folder.

    Raises:
        StoreError: no model there, of a newer format, or not the tensors that its Spec needs.
        IntegrityError: the weights are not those that config.json names.
        SpecError: the Spec in config.json breaks the language.
        PluginError: its tasks need a word of a plugin that is not here; says which.
    """
    folder = Path(folder)
    config = read_config(folder)
    spec = config.pop("_spec")
    networks = build(spec, published=True)
    expected = {
        f"{name}.{key}": value
        for name, net in networks.items()
        for key, value in net.state_dict().items()
    }
    expected |= {f"{STATE}.{name}": _empty_state(spec, name) for name in spec.published_state}
    total = sum(value.numel() for value in expected.values())
    if total > MAX_PARAMETERS:
        raise StoreError(
            f"{folder} asks for {total:,} numbers; at most {MAX_PARAMETERS:,} are loaded"
        )
    tensors = _read_weights(folder / WEIGHTS, config, expected)
    for name, net in networks.items():
        prefix = f"{name}."
        state = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        net.load_state_dict(state, strict=True, assign=True)
        net.to(device)
    state = {name: tensors[f"{STATE}.{name}"].to(device) for name in spec.published_state}
    return Model(spec, networks, config, state=state)


def _empty_state(spec: Spec, name: str) -> Tensor:
    """A tensor of the shape and type of a published state, without numbers."""
    with torch.device("meta"):
        held = spec.state[name].tensors({})
        return spec.state[name].value({word: value.to("meta") for word, value in held.items()})


def read_config(folder: Path) -> dict[str, Any]:
    """`config.json`, checked, with the Spec it holds under `_spec`."""
    path = folder / CONFIG
    if path.is_file() and path.stat().st_size > MAX_CONFIG:
        raise StoreError(
            f"{path} has {path.stat().st_size:,} bytes; at most {MAX_CONFIG:,} are read"
        )
    try:
        data = strict_json(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"no model in {folder}: {CONFIG} cannot be read ({error})") from None
    except SpecError as error:
        raise StoreError(f"{path}: {error}") from None
    if not isinstance(data, dict) or data.get("library") != "ganzoo":
        raise StoreError(f"{path} is no config of ganzoo")
    format_ = data.get("format_version")
    if not isinstance(format_, int) or format_ < 1:
        raise StoreError(f"{path}: format_version {format_!r} is unknown")
    if format_ > FORMAT:
        raise StoreError(
            f"{path} has format {format_}, and this ganzoo reads up to {FORMAT}; "
            f"pip install --upgrade {DISTRIBUTION}"
        )
    _check_facts(data, path)
    try:
        spec = data["_spec"] = Spec.from_dict(data.pop("spec", None), strangers=True)
    except SpecError as error:
        raise SpecError(
            [(f"spec.{where}" if where else "spec", text) for where, text in error.problems]
        ) from None
    _check_known(spec, data)
    return data


def _check_facts(data: dict[str, Any], path: Path) -> None:
    """StoreError where config.json is built to exhaust its reader, or facts are not what they are.

    What is read of it elsewhere: texts on one line, mappings, finite numbers.
    """
    pending, values = [(data, 0)], 0
    while pending:
        value, depth = pending.pop()
        values += 1
        if depth > MAX_DEPTH or values > MAX_VALUES:
            raise StoreError(
                f"{path} holds more than {MAX_VALUES:,} values, or some nested more than "
                f"{MAX_DEPTH} deep; that is no model's"
            )
        if isinstance(value, dict | list):
            inner = value.values() if isinstance(value, dict) else value
            pending += [(part, depth + 1) for part in inner]
    if not isinstance(data.get("name", ""), str) or data.get("name", "") != plain(
        data.get("name", "")
    ):
        raise StoreError(f"{path}: name is {plain(data['name'])!r}, and shall be one line of text")
    for key in ("data", "training", "made_by", "thresholds", "requires"):
        if key in data and not isinstance(data[key], dict):
            raise StoreError(f"{path}: {key} is {plain(data[key], 60)!r}, and shall be an object")
    named = data.get("data", {}).get("name", "")
    if not isinstance(named, str):
        raise StoreError(f"{path}: data.name is {plain(named, 60)!r}, and shall be text")


def _read_weights(
    path: Path, config: dict[str, Any], expected: dict[str, Tensor]
) -> dict[str, Tensor]:
    """The tensors of a file, once its hash, names, shapes and types are the expected ones."""
    weights = config.get("weights")
    sha256 = weights.get("sha256") if isinstance(weights, dict) else None
    if not isinstance(sha256, str):
        raise StoreError(f"{path.parent / CONFIG} does not name the sha256 of its weights")
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error})") from None
    if found != sha256:
        raise IntegrityError(
            f"{path} has sha256 {found[:12]}..., and {CONFIG} names {sha256[:12]}...: "
            "the file is damaged or another one; get the model again"
        )
    try:
        with safe_open(path, framework="pt") as file:
            names = set(file.keys())
            if names != set(expected):
                missing, extra = set(expected) - names, names - set(expected)
                raise StoreError(
                    f"{path} does not fit its Spec: missing {choices(missing, 5)}, "
                    f"unknown {choices(extra, 5)}"
                )
            tensors: dict[str, Tensor] = {}
            for name, wanted in expected.items():
                shape = tuple(file.get_slice(name).get_shape())
                if shape != tuple(wanted.shape):
                    raise StoreError(
                        f"{path}: {name} is {shape}, and the Spec needs {tuple(wanted.shape)}"
                    )
                tensors[name] = file.get_tensor(name).to(wanted.dtype)
            return tensors
    except SafetensorError as error:
        raise StoreError(f"{path} is no safetensors file: {error}") from None
