"""User arrays and tensors as plain NumPy arrays, or an error that says what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganzoo.errors import DataError

TAKEN = "paths, PIL images, NumPy arrays or tensors"


def is_array(given: Any) -> bool:
    """Whether it is an array or tensor, or can be read as one (`__array__`, a buffer)."""
    return isinstance(given, Tensor | np.ndarray | memoryview) or hasattr(given, "__array__")


def plain_array(given: Any) -> np.ndarray:
    """The values of an array or tensor, or of nested lists of numbers, in native byte order.

    Raises:
        DataError: it has no values in memory (sparse, meta), some are masked, or not numbers.
    """
    if isinstance(given, Tensor):
        return _of_tensor(given)
    if isinstance(given, np.ma.MaskedArray) and np.ma.is_masked(given):
        masked = int(np.ma.count_masked(given))
        raise DataError(
            f"{masked:,} values of the array are masked; fill them, as with images.filled(0)"
        )
    try:
        found = np.asarray(given)
    except Exception as error:  # whatever `__array__` of another library raises
        raise DataError(f"{type(given).__name__} is not an array of numbers ({error})") from None
    if found.dtype.kind not in "biuf":
        raise DataError(
            f"an array of {found.dtype} has no numbers; give a list of {TAKEN}, or one array"
        )
    return found.astype(found.dtype.newbyteorder("="), copy=False)


def _of_tensor(given: Tensor) -> np.ndarray:
    if given.is_meta:
        raise DataError("a tensor on the device 'meta' has no values")
    if given.is_quantized:
        raise DataError(f"a quantized tensor ({given.dtype}); give images.dequantize()")
    if given.layout != torch.strided:
        raise DataError(f"a sparse tensor ({given.layout}); give images.to_dense()")
    # NumPy has no bfloat16
    return (given.float() if given.is_floating_point() else given).numpy(force=True)
