"""The functions of the core, one module for each subject."""

from __future__ import annotations

from ganzoo.spec.function import Function
from ganzoo.spec.functions.arithmetic import ARITHMETIC
from ganzoo.spec.functions.augmentations import AUGMENTATIONS
from ganzoo.spec.functions.distributions import DISTRIBUTIONS
from ganzoo.spec.functions.losses import LOSSES
from ganzoo.spec.functions.penalties import PENALTIES
from ganzoo.spec.functions.samples import SAMPLES

FUNCTIONS: dict[str, Function] = {
    function.name: function
    for function in (
        *LOSSES,
        *ARITHMETIC,
        *SAMPLES,
        *DISTRIBUTIONS,
        *PENALTIES,
        *AUGMENTATIONS,
    )
}
