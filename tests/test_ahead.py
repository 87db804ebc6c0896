"""Data that stay in files: read ahead by a thread, decoded once, kept whole."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import ganzoo
from ganzoo.data.ahead import Ahead
from ganzoo.data.loading import load
from ganzoo.data.mapped import forget, taken
from ganzoo.data.source import Source
from ganzoo.engine.training import Training
from ganzoo.spec import Spec
from tests.builders import same, weights


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ganzoo" / "decoded"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    place.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (24, 16, 16), np.uint8)
    for number, picture in enumerate(pixels):
        Image.fromarray(picture).save(place / f"{number:03d}.png")
    return place


def read(folder: Path, limit: int = 0) -> Source:
    return load(f"folder:{folder},size=16,channels=1,flip", memory_limit=limit)


def spec(source: Source) -> Spec:
    return ganzoo.variant("dcgan", width=4, latent=5).spec(source.fields)


def training(source: Source) -> Training:
    return Training(
        spec(source), source, batch=8, seed=3, device=torch.device("cpu"), precision="fp32"
    )


def test_a_run_on_mapped_pictures_is_the_run_on_those_in_memory(folder: Path, cache: Path) -> None:
    """Over several passes of the data, flips included, to the bit."""
    mapped, held = training(read(folder)), training(read(folder, 2**30))
    assert mapped.draws.ahead is not None and held.draws.ahead is None
    for _ in range(8):
        mapped.round()
        held.round()
    assert same(weights(mapped), weights(held))


def test_a_run_that_was_stopped_goes_on_to_the_bit(
    folder: Path, cache: Path, tmp_path: Path
) -> None:
    whole, first, second = (training(read(folder)) for _ in range(3))
    for _ in range(6):
        whole.round()
    for _ in range(3):
        first.round()
    second.round()  # has read ahead of what it is about to load
    second.load(first.save(tmp_path / "checkpoint"))
    for _ in range(3):
        second.round()
    assert same(weights(whole), weights(second))


def test_rows_are_read_by_a_thread_before_they_are_asked_for() -> None:
    names, begun = list[str](), threading.Event()

    def rows(step: int, version: int, name: str) -> tuple[torch.Tensor, ...]:
        names.append(threading.current_thread().name)
        if step == 3:
            begun.set()
        return (torch.tensor([step, version]),)

    ahead = Ahead(rows, depth=3)
    ahead.ask(0, lambda _: [(0, "x"), (1, "x")], 100)
    assert begun.wait(10)  # of round 3, while nothing was taken
    assert ahead.take(0, 1, "x")[0].tolist() == [0, 1]
    assert set(names) == {"ganzoo-data_0"}
    ahead.ask(50, lambda _: [(0, "x")], 51)
    assert ahead.take(50, 0, "x")[0].tolist() == [50, 0]
    ahead.close()


def test_what_the_thread_cannot_read_is_an_error_of_the_round(folder: Path, cache: Path) -> None:
    source = read(folder)
    run = training(source)
    run.round()

    def broken(*_: Any) -> Any:
        raise OSError("the disk is gone")

    ahead = run.draws.ahead
    assert ahead is not None
    ahead.read = broken
    with pytest.raises(OSError, match="the disk is gone"):
        for _ in range(8):
            run.round()


def test_rows_are_taken_from_the_file_itself(folder: Path, cache: Path) -> None:
    read(folder)
    [path] = cache.glob("*.npy")
    array = np.load(path, mmap_mode="r")
    index = np.array([5, 0, 5, 23])
    assert (taken(array, index) == array[index]).all()
    assert (taken(array[3:], np.array([0, 2])) == array[[3, 5]]).all()
    forget(array)
    path.unlink()  # what is mapped stays
    assert (taken(array, index) == array[index]).all()


def test_a_damaged_cache_is_decoded_anew(folder: Path, cache: Path) -> None:
    before = read(folder).digest()
    [path] = cache.glob("*.npy")
    content = bytearray(path.read_bytes())
    content[500] ^= 1  # one bit of one pixel
    path.write_bytes(content)
    assert read(folder).digest() == before
    assert path.read_bytes() != bytes(content)


def test_a_cache_of_pictures_that_have_changed_goes(folder: Path, cache: Path) -> None:
    before = read(folder).digest()
    [old] = cache.glob("*.npy")
    other = load(f"folder:{folder},size=32,channels=1", memory_limit=0)
    Image.new("L", (16, 16), 7).save(folder / "003.png")
    os.utime(folder / "003.png", ns=(1, 1))
    assert read(folder).digest() != before
    kept = {*cache.glob("*.npy")}
    assert old not in kept and len(kept) == 2  # of the other size there is still one
    assert len(other) == 24
