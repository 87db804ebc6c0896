"""Arrays and tensors of all kinds come in alike, in tasks and in sources, or are refused."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture

import ganzoo
from ganzoo.data.given import source as given_source
from ganzoo.errors import DataError, TaskError
from ganzoo.models.images import image_tensor
from ganzoo.spec import Image

LEVELS = np.random.default_rng(0).integers(0, 256, (5, 12, 12), dtype=np.uint8)
FLOATS = LEVELS / 255
DRAW = Image((1, 12, 12))
WANTED = torch.from_numpy(FLOATS).float().mul(2).sub(1)[:, None]


class Lends:
    """What another library calls an array."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return LEVELS


ALIKE: dict[str, Any] = {
    "bool": LEVELS > 127,
    "16 bits": LEVELS.astype(np.uint16) * 257,
    "16 bits, the other end first": (LEVELS.astype(np.uint16) * 257).astype(">u2"),
    "floats, the other end first": FLOATS.astype(">f4"),
    "bfloat16": torch.from_numpy(FLOATS).bfloat16(),
    "half": FLOATS.astype(np.float16),
    "backwards": LEVELS[::-1, ::-1, ::-1],
    "columns first": np.asfortranarray(FLOATS),
    "read-only": np.frombuffer(LEVELS.tobytes(), np.uint8).reshape(LEVELS.shape),
    "nothing masked": np.ma.masked_array(FLOATS, FLOATS < 0),
    "a buffer": memoryview(LEVELS),
    "of another library": Lends(),
    "with a gradient": torch.from_numpy(FLOATS).requires_grad_(),
    "a list of arrays": list(LEVELS),
}


@pytest.mark.parametrize("kind", ALIKE)
def test_tasks_and_sources_take_the_same(kind: str) -> None:
    given = ALIKE[kind]
    wanted = WANTED
    if kind == "bool":
        wanted = torch.from_numpy((LEVELS > 127) * 2.0 - 1).float()[:, None]
    if kind == "backwards":
        wanted = WANTED.flip(0, 2, 3)
    close = 0.02 if kind in ("bfloat16", "half") else 1e-6
    torch.testing.assert_close(image_tensor(given, DRAW), wanted, atol=close, rtol=0)
    sources = [ganzoo.Source.from_arrays("given", given), given_source(given)]
    for source in sources:
        held = source.batch("image", torch.arange(len(source)))
        torch.testing.assert_close(held, wanted, atol=close, rtol=0)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "masked": (lambda: np.ma.masked_array(FLOATS, FLOATS > 0.5), r"are masked.*filled\(0\)"),
    "sparse": (lambda: torch.from_numpy(FLOATS).to_sparse(), r"give images\.to_dense\(\)"),
    "meta": (lambda: torch.empty(5, 1, 12, 12, device="meta"), "has no values"),
    "quantized": (
        lambda: torch.quantize_per_tensor(torch.rand(5, 1, 12, 12), 1 / 255, 0, torch.quint8),
        r"give images\.dequantize\(\)",
    ),
    "objects": (lambda: np.array([*FLOATS, None], dtype=object), "object has no numbers"),
    "words": (lambda: np.array(["a", "b"]), "has no numbers"),
    "complex": (lambda: FLOATS.astype(complex), "complex128 has no numbers"),
}


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize("kind", REFUSED)
def test_what_has_no_numbers_is_refused_by_both(kind: str) -> None:
    make, why = REFUSED[kind]
    with pytest.raises(TaskError, match=why):
        image_tensor(make(), DRAW)
    with pytest.raises(DataError, match=why):
        ganzoo.Source.from_arrays("given", make())
    with pytest.raises(DataError, match=why):
        given_source(make())


def closed() -> Picture.Image:
    picture = Picture.fromarray(LEVELS[0])
    picture.close()
    return picture


@pytest.mark.parametrize(
    "make, why",
    [
        (lambda: FLOATS[0].tolist(), r"no images in list \[.*give paths, PIL images"),
        (lambda: b"\x89PNG", r"no images in bytes.*PIL\.Image\.open\(file\)"),
        (lambda: BytesIO(b"\x89PNG"), r"no images in BytesIO.*PIL\.Image\.open\(file\)"),
        (lambda: {"image": LEVELS}, "no images in dict"),
        (lambda: None, "no images in NoneType"),
        (closed, "a PIL image of mode 'L': .*closed"),
        (lambda: Picture.new("LAB", (12, 12)), "a PIL image of mode 'LAB'"),
    ],
)
def test_what_is_no_image_is_refused(make: Callable[[], Any], why: str) -> None:
    with pytest.raises(TaskError, match=why):
        image_tensor(make(), DRAW)


def test_labels_are_any_whole_numbers() -> None:
    for kind in (np.uint8, np.uint16, np.uint32, np.uint64, np.int8, ">i4", bool):
        labels = np.array([0, 1, 0, 1, 1]).astype(kind)
        source = ganzoo.Source.from_arrays("given", LEVELS, labels[::-1])
        assert source.batch("label", torch.arange(5)).tolist() == [1, 1, 0, 1, 0]
