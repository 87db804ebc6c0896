"""In which numbers networks compute, and how that is said."""

from __future__ import annotations

import pytest
import torch

from ganzoo.engine import heap
from ganzoo.engine.precision import Precision, how, multiplying, resolved
from ganzoo.errors import TrainingError

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize("precision, rounded", [("fp32", False), ("bf16", False), ("tf32", True)])
def test_products_on_cuda_are_rounded_where_that_is_said_and_nowhere_else(
    precision: Precision, rounded: bool
) -> None:
    places = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [place.allow_tf32 for place in places]
    with multiplying(precision, CUDA):
        assert [place.allow_tf32 for place in places] == [rounded] * 2
    assert [place.allow_tf32 for place in places] == before
    with multiplying(precision, CPU):
        assert [place.allow_tf32 for place in places] == before


def test_tf32_is_of_cuda() -> None:
    assert resolved("tf32", CUDA) == "tf32"
    with pytest.raises(TrainingError, match="tf32 is for CUDA devices"):
        resolved("tf32", CPU)
    with pytest.raises(TrainingError, match="precision is auto, fp32, tf32 or bf16, not 'fp16'"):
        resolved("fp16", CPU)  # type: ignore[arg-type]


def test_how_a_run_computes_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert how("cpu", "fp32") == "cpu, fp32 (32 bits everywhere), call by call"
    monkeypatch.setenv("WORLD_SIZE", "4")
    said = how("cpu", "bf16", graph=True, accumulate=2)
    assert said.startswith("cpu, bf16 (networks;")
    assert said.endswith("static, 4 processes, batches in 2 parts")


def test_memory_that_somebody_has_set_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "100")
    assert heap.keep.__wrapped__() is False
