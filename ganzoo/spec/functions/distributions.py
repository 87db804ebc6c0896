"""Distributions: Gaussians written as one tensor h = (mean, log std)."""

from __future__ import annotations

from ganzoo.spec.function import Function, core

DISTRIBUTIONS: tuple[Function, ...] = (
    core(
        "kl",
        "h",
        "KL divergence of N(mean, std) from N(0, 1), mean over batch and dimensions; "
        "h is (mean, log std) concatenated, shape (batch, 2d).",
        r"\frac{1}{2}\left(\mu^2+\sigma^2-1-\log\sigma^2\right)",
        latex=r"D_\mathrm{{KL}}\left({0}\right)",
        source="arXiv:1612.03242",
        module="distributions",
        example="2 * kl(h)",
        reduces=True,
    ),
    core(
        "reparameterize",
        "h noise",
        "A sample mean + std * noise of the Gaussian h = (mean, log std), "
        "h (batch, 2d), noise (batch, d).",
        r"\mu+\sigma\odot\epsilon",
        source="arXiv:1312.6114",
        module="distributions",
        example="reparameterize(E(x), e)",
    ),
    core(
        "average",
        "h",
        "The mean of the Gaussian h = (mean, log std): (batch, 2d) to (batch, d).",
        r"\mu",
        module="distributions",
        example="average(E(x))",
    ),
    core(
        "gumbel",
        "logits noise temperature",
        "A differentiable sample of a class by Gumbel softmax, (batch, classes); the noise is "
        "uniform in [0, 1), (batch, classes).",
        r"\mathrm{softmax}\left(\frac{\ell-\log(-\log u)}{\tau}\right)",
        module="distributions",
        source="arXiv:1611.01144",
        example="gumbel(Q.classes(x), u, 0.5)",
    ),
    core(
        "truncate",
        "noise limit",
        "Normal noise mapped smoothly to a normal distribution truncated to [-limit, limit].",
        r"\Phi^{-1}\left(\Phi(-t)+(\Phi(t)-\Phi(-t))\,\Phi(z)\right)",
        module="distributions",
        source="arXiv:1809.11096",
        example="G(truncate(z, 0.5))",
    ),
)
