"""Conformance checks that every variant must pass; failures say what is wrong.

    import pytest
    from ganzoo.testing import CHECKS, conforms


    @pytest.mark.parametrize("check", CHECKS)
    def test_conforms(check):
        conforms("my-gan", check, width=8)

Everything runs on a little random data for a few rounds and takes seconds. `ganzoo check-plugin`
runs these checks, and further ones for everything else that a plugin provides.
"""

from ganzoo.testing.checks import CHECKS, conforms
from ganzoo.testing.parts import Finding, check_plugin, shape_after
from ganzoo.testing.subject import NotConforming, noise

__all__ = [
    "CHECKS",
    "Finding",
    "NotConforming",
    "check_plugin",
    "conforms",
    "noise",
    "shape_after",
]
