"""Penalties on the gradient of a critic, and on weights."""

from __future__ import annotations

from ganzoo.spec.function import Function, core

_MIXES = "it mixes the samples of a batch, so the gradient for one sample depends on the others"
ONE_SAMPLE = dict.fromkeys(
    ("batch_norm", "minibatch_std"),
    f"{_MIXES} (arXiv:1704.00028, section 4); use layer_norm, instance_norm or none",
)
"""WGAN-GP bounds the norm of each sample's gradient."""


PENALTIES: tuple[Function, ...] = (
    core(
        "gradient_penalty",
        "critic real fake given?",
        "Two-sided penalty on the gradient norm of a critic at a random point between each real "
        "and fake sample; the norm is over all inputs except those given, such as a label.",
        r"\left(\lVert\nabla_{\hat x} C(\hat x)\rVert_2-1\right)^2,\quad "
        r"\hat x=\alpha x+(1-\alpha)\tilde x",
        latex=r"\mathrm{{GP}}_{{{0}}}\left({1}, {2}\right)",
        source="arXiv:1704.00028",
        module="penalties",
        example="10 * gradient_penalty(C, x, fake)",
        networks=("critic",),
        noise=("mix",),
        refuses=ONE_SAMPLE,
        constants=("real", "fake", "given"),
        passes=1,
        reduces=True,
    ),
    core(
        "r1",
        "critic inputs given?",
        "Squared gradient norm of a critic at these samples, mean over the batch: R1 at real ones, "
        "R2 at fakes. Given inputs, such as a label, are not part of the norm.",
        r"\lVert\nabla_x C(x)\rVert_2^2",
        source="arXiv:1801.04406",
        module="penalties",
        example="5 * r1(D, x)",
        networks=("critic",),
        # StyleGAN2 uses it with minibatch_std (arXiv:1912.04958)
        refuses={
            "batch_norm": f"{_MIXES}, and its authors' discriminators do not use it "
            "(arXiv:1801.04406); use layer_norm, instance_norm or none"
        },
        constants=("inputs", "given"),
        passes=1,
        reduces=True,
    ),
    core(
        "orthogonal",
        "network",
        "The deviation of the rows of its weights (outputs, inputs) from orthogonality, summed "
        "over its layers.",
        r"\sum_l\left\lVert W_l W_l^\top\odot(1-I)\right\rVert_F^2",
        module="penalties",
        source="arXiv:1809.11096",
        example="mean(C(G(z))) + 1e-4 * orthogonal(G)",
        networks=("network",),
        weights=("network",),
    ),
)
