"""Specs of one generator and one discriminator, in which a loss can take the place of theirs."""

from __future__ import annotations

from typing import Any

from ganzoo.spec import (
    Flatten,
    Image,
    Label,
    Linear,
    Network,
    Normal,
    OneHot,
    Reshape,
    Spec,
    Update,
)
from ganzoo.spec.schedule import updates_of

PAIRS = ("gan", "cgan", "dcgan", "cdcgan", "wgan", "wgan-gp")
"""The variants that ship with one generator and one discriminator, or critic."""


def linear(
    terms: dict[str, str] | None = None,
    fool: dict[str, str] | None = None,
    *,
    discriminator: Network | None = None,
    **more: Any,
) -> Spec:
    """A linear GAN on 2x2 images, with what a test puts into it."""
    return Spec.from_dict(
        Spec(
            title="Linear",
            draws={"x": Image((1, 2, 2)), "z": Normal(3), **more.pop("draws", {})},
            networks={
                "G": Network({"z": ()}, (Linear(4), Reshape((1, 2, 2)))),
                "D": discriminator or Network({"x": (Flatten(),)}, (Linear(3), Linear(1))),
            },
            let={"fake": "G(z)", **more.pop("let", {})},
            round=more.pop("round", None)
            or [
                Update("D", terms or {"real": "bce(D(x), 1)", "fake": "bce(D(fake), 0)"}),
                Update("G", fool or {"fool": "bce(D(fake), 1)"}),
            ],
            tasks={"generate": "G(z)"},
            batch=4,
            **more,
        ).to_dict()
    )


TOLD = Network({"x": (Flatten(),), "y": (OneHot(3),)}, (Linear(3), Linear(1)))
"""A discriminator that is shown a label."""


def told(real: str = "D(x, y)", fake: str = "D(fake, y)", **more: Any) -> Spec:
    terms = {"real": f"bce({real}, 1)", "fake": f"bce({fake}, 0)"}
    return linear(
        terms, {"fool": f"bce({fake}, 1)"}, discriminator=more.pop("discriminator", TOLD),
        **{"draws": {"y": Label(3)}, **more},
    )  # fmt: skip


def minimized(spec: Spec) -> dict[str, dict[str, str]]:
    return {u.train[0]: dict(u.minimize) for item in spec.stages[0].round for u in updates_of(item)}


def update(spec: Spec, network: str) -> Update:
    return next(u for u in spec.stages[0].updates if u.train == (network,))
