"""How many threads a round uses: by the size of layers, and as a run began."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ganzoo.engine import checkpoint as checkpoints
from ganzoo.engine import prepare
from ganzoo.engine.threads import EXPLICIT, using
from ganzoo.engine.training import Training
from tests.builders import data_of
from tests.table import TABLE


@pytest.fixture
def four(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch has four threads, and nothing in the environment said so."""
    for word in EXPLICIT:
        monkeypatch.delenv(word, raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)


def made(batch: int = 4) -> Training:
    return prepare(TABLE["dcgan"](), data_of("dcgan"), batch=batch, precision="fp32", device="cpu")


@pytest.mark.usefixtures("four")
def test_small_layers_have_one_thread_and_larger_batches_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = made()
    assert small.threads.number == 1 and small.threads.most == 4
    assert str(small.threads).startswith("1 of 4 threads: a layer takes about 0.")
    monkeypatch.setattr("ganzoo.engine.threads.WORTH", 1e4)
    numbers = [made(batch).threads.number for batch in (4, 8, 64)]
    assert numbers == sorted(numbers) and numbers[-1] == 4 > numbers[0]
    assert made(64).threads.why.endswith("large enough for all")


@pytest.mark.usefixtures("four")
def test_the_environment_decides_where_it_says_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert str(made().threads) == "4 of 4 threads: OMP_NUM_THREADS is set"


def test_rounds_use_the_number_and_others_have_theirs_back() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), using(before + 2):
        assert torch.get_num_threads() == before + 2
        raise ZeroDivisionError
    training = made()
    training.threads = type(training.threads)(before + 1, before + 1, "a test")
    seen: list[int] = []
    compute = training.runner.compute
    training.runner.compute = lambda *given: (
        seen.append(torch.get_num_threads()),
        compute(*given),
    )[1]
    training.round()
    assert seen == [before + 1] and torch.get_num_threads() == before


def test_a_run_goes_on_with_the_threads_that_it_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    """Also where another number would be chosen now; where it cannot be had, that is said."""
    for word in EXPLICIT:
        monkeypatch.delenv(word, raising=False)
    training = made()
    kind = type(training.threads)
    training.threads = kind(2, 2, "a test")
    training.round()
    path = training.save(tmp_path / "checkpoint.safetensors")
    assert checkpoints.facts(path)["surroundings"]["threads"] == 2
    again = made()
    again.threads = kind(1, 2, "layers are small")
    again.load(path)
    assert (again.threads.number, again.threads.why) == (2, "as the run began")
    assert not recwarn.list
    for other in (kind(1, 1, "there is one"), kind(1, 2, "told", free=False)):
        last = made()
        last.threads = other
        with pytest.warns(UserWarning, match=r"threads 2 \(now 1\)"):
            last.load(path)
