"""model.safetensors: read once, into memory that nothing outside can change."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes

from ganzoo.errors import IntegrityError, StoreError, TaskError
from ganzoo.models import store
from tests.builders import model_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return store.save(model_of("dcgan"), tmp_path / "model")


def with_content(folder: Path, content: bytes) -> Path:
    """Other weights, with a hash that agrees."""
    (folder / store.WEIGHTS).write_bytes(content)
    path = folder / store.CONFIG
    config = json.loads(path.read_text())
    config["weights"]["sha256"] = hashlib.sha256(content).hexdigest()
    path.write_text(json.dumps(config))
    return folder


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return from_bytes((folder / store.WEIGHTS).read_bytes())


def parts(folder: Path) -> tuple[dict[str, Any], bytes]:
    content = (folder / store.WEIGHTS).read_bytes()
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def joined(header: Any, data: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def test_what_happens_to_the_file_later_does_not_matter(folder: Path) -> None:
    """Mapped into memory, a changed file would change the model, and a shorter one end it all."""
    path = folder / store.WEIGHTS
    model = store.load(folder)
    before = model.generate(4, output="np")
    with path.open("r+b") as file:
        file.seek(-400, os.SEEK_END)
        file.write(b"\xff" * 400)
    np.testing.assert_array_equal(model.generate(4, output="np"), before)
    os.truncate(path, 10)
    np.testing.assert_array_equal(model.generate(4, output="np"), before)
    assert {tensor.data_ptr() for tensor in model.networks["G"].state_dict().values()}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_numbers_that_are_not_finite(folder: Path, number: float, dtype: torch.dtype) -> None:
    found = {
        name: value.to(dtype) if value.is_floating_point() else value
        for name, value in tensors(folder).items()
    }
    found["G.layers.0.weight"][2, 3] = number
    with pytest.raises(StoreError, match=r"G\.layers\.0\.weight holds numbers that are not finite"):
        store.load(with_content(folder, to_bytes(found)))


def test_numbers_that_become_infinite_as_float32(folder: Path) -> None:
    found = tensors(folder)
    found["G.layers.0.weight"] = found["G.layers.0.weight"].double().fill_(1e300)
    with pytest.raises(StoreError, match="not finite"):
        store.load(with_content(folder, to_bytes(found)))


def _edit(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        header, data = parts(folder)
        change(header)
        return joined(header, data)

    return make


def _first(header: dict[str, Any]) -> dict[str, Any]:
    return header["G.layers.0.weight"]


HEADERS: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "too short": (lambda folder: b"abc", "it is too short"),
    "a header beyond the file": (
        lambda folder: (2**60).to_bytes(8, "little") + b"x" * 50, "its header would have"),
    "not JSON": (lambda folder: joined(b"{", b""), "its header cannot be read"),
    "not UTF-8": (lambda folder: joined(b"\xff\xfe", b""), "its header cannot be read"),
    "a list": (lambda folder: joined([], b""), "its header is not an object"),
    "one name twice": (
        lambda folder: joined(b'{"a": 1, "a": 2}', b""), "its header cannot be read"),
    "a long name": (_edit(lambda h: h.update({"x" * 100_000: _first(h)})), "unknown 'xxxx"),
    "names of control characters": (_edit(lambda h: h.update({"\x1b[31m": _first(h)})), "unknown"),
    "a type that cannot be": (_edit(lambda h: _first(h).update(dtype="F8_E4M3")), "is of type"),
    "a type that is not text": (_edit(lambda h: _first(h).update(dtype=[1])), "is of type"),
    "no shape": (_edit(lambda h: _first(h).pop("shape")), "not whole numbers"),
    "a shape below nothing": (_edit(lambda h: _first(h).update(shape=[-1, 4])), "not whole"),
    "a shape of yes": (_edit(lambda h: _first(h).update(shape=[True, 4])), "not whole"),
    "offsets that end first": (
        _edit(lambda h: _first(h)["data_offsets"].reverse()), "bytes, which"),
    "offsets without end": (
        _edit(lambda h: _first(h).update(data_offsets=[0, 10**400])), "not whole numbers"),
    "nothing of a tensor": (_edit(lambda h: h.update({"G.layers.0.weight": 7})), "is of type"),
    "tensors that overlap": (
        _edit(lambda h: _first(h).update(
            data_offsets=[n + 4 for n in _first(h)["data_offsets"]])), "overlap or leave gaps"),
    "data left over": (
        lambda folder: joined(parts(folder)[0], parts(folder)[1] + b"1234"), "its tensors end at"),
    "data too few": (
        lambda folder: joined(parts(folder)[0], parts(folder)[1][:-4]), "its tensors end at"),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
def test_headers_that_are_wrong(name: str, folder: Path) -> None:
    make, message = HEADERS[name]
    with pytest.raises(StoreError, match=message) as caught:
        store.load(with_content(folder, make(folder)))
    assert len(str(caught.value)) < 1500 and str(caught.value).isprintable()
    assert not isinstance(caught.value, IntegrityError)


def test_a_million_tensors_are_refused_before_they_are_read(folder: Path) -> None:
    extra = {f"x{n}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(10**6)}
    header, data = parts(folder)
    with_content(folder, joined({**header, **extra}, data))
    start = time.process_time()
    with pytest.raises(StoreError, match=r"has \d\d,\d+,\d+ bytes; at most 1,\d+,\d+ are read"):
        store.load(folder)
    assert time.process_time() - start < 0.5


def test_a_file_larger_than_its_spec_can_need_is_not_hashed(folder: Path) -> None:
    with (folder / store.WEIGHTS).open("r+b") as file:
        file.truncate(10**12)  # takes no space on the disk
    start = time.process_time()
    with pytest.raises(StoreError, match="has 1,000,000,000,000 bytes; at most"):
        store.load(folder)
    assert time.process_time() - start < 0.5


def test_tensors_may_lie_in_any_order(folder: Path) -> None:
    before = store.load(folder).generate(3, output="np")
    header, data = parts(folder)
    header.pop("__metadata__", None)
    end, turned, content = 0, {}, b""
    for name, said in reversed(header.items()):
        first, last = said["data_offsets"]
        content += data[first:last]
        turned[name] = {**said, "data_offsets": [end, end + last - first]}
        end += last - first
    text = json.dumps(turned)
    text += " " * (3 - len(text) % 4)  # and need not be aligned
    store_again = with_content(folder, joined(text.encode(), content))
    np.testing.assert_array_equal(store.load(store_again).generate(3, output="np"), before)


@pytest.mark.parametrize("number", [3e38, -1.0])
def test_answers_that_are_not_finite_are_none(folder: Path, number: float) -> None:
    """Finite weights that come to nothing: products too large, the root of a negative variance."""
    found = tensors(folder)
    for name, value in found.items():
        if name.endswith("running_var") or (number > 1 and value.is_floating_point()):
            value.fill_(number)
    model = store.load(with_content(folder, to_bytes(found)))
    with pytest.raises(TaskError, match=r"gives numbers that are not finite \(NaN or infinite\)"):
        model.generate(2)
