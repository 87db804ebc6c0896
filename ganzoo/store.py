"""Model folders: what is on disk, and back; strict, atomic, checked.

    config.json        format version, Spec, where it comes from, sha256 of the weights
    model.safetensors  the networks that the tasks need, moving averages applied
    README.md, metrics.json, samples.png   for people; not needed to load

Reading runs no code of the folder: JSON into a Spec, safetensors into the modules
that the Spec describes. Nothing is pickled and no name in a file is imported.
"""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from ganzoo.atomic import write_bytes, write_text
from ganzoo.build import build
from ganzoo.errors import IntegrityError, SpecError, StoreError, choices
from ganzoo.model import Model
from ganzoo.spec.spec import Spec, pretty_json, strict_json

FORMAT = 1
CONFIG, WEIGHTS = "config.json", "model.safetensors"
MAX_PARAMETERS = 2_000_000_000
MAX_CONFIG = 10_000_000
"""Bytes."""
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
    content = to_bytes(tensors, metadata={"format": "pt"})
    config = {
        **model.config,
        **facts,
        "format_version": FORMAT,
        "library": "ganzoo",
        "library_version": _version(),
        "weights": {"sha256": hashlib.sha256(content).hexdigest(), "dtype": dtype},
        "spec": model.spec.to_dict(),
    }
    first = ("format_version", "library", "library_version", "name")
    ordered = {key: config[key] for key in first if key in config}
    ordered |= {key: value for key, value in config.items() if key not in {*first, "spec"}}
    ordered["spec"] = config["spec"]
    write_bytes(folder / WEIGHTS, content)
    write_text(folder / CONFIG, pretty_json(ordered) + "\n")
    return folder


def _stored(value: Tensor, dtype: str) -> Tensor:
    value = value.detach().contiguous().cpu()
    return value.to(getattr(torch, dtype)) if value.is_floating_point() else value


def load(folder: str | Path, *, device: str | torch.device = "cpu") -> Model:
    """Read a model folder.

    Raises:
        StoreError: no model there, of a newer format, or not the tensors that its Spec needs.
        IntegrityError: the weights are not those that config.json names.
        SpecError: the Spec in config.json breaks the language.
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
    return Model(spec, networks, config)


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
    version = data.get("format_version")
    if not isinstance(version, int) or version < 1:
        raise StoreError(f"{path}: format_version {version!r} is unknown")
    if version > FORMAT:
        raise StoreError(
            f"{path} has format {version}, and this ganzoo reads up to {FORMAT}; "
            "pip install --upgrade ganzoo"
        )
    try:
        data["_spec"] = Spec.from_dict(data.pop("spec", None))
    except SpecError as error:
        raise SpecError(
            [(f"spec.{where}" if where else "spec", text) for where, text in error.problems]
        ) from None
    return data


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


def _version() -> str:
    try:
        return metadata.version("ganzoo")
    except metadata.PackageNotFoundError:
        return "0"
