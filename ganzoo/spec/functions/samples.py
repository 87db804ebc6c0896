"""Vectors and maps of each sample: products, norms, parts, rows."""

from __future__ import annotations

from ganzoo.spec.function import Function, core

SAMPLES: tuple[Function, ...] = (
    core(
        "dot",
        "a b",
        "Scalar product of each sample: (batch, ...) to (batch,).",
        r"\sum_j a_j b_j",
        module="samples",
        latex=r"\left\langle {0},\, {1}\right\rangle",
        source="arXiv:1802.05637",
        example="dot(T(t), I(x))",
    ),
    core(
        "squared_norm",
        "values",
        "Sum of squares of each sample: (batch, ...) to (batch,).",
        r"\sum_j v_j^2",
        module="samples",
        latex=r"\left\lVert {0}\right\rVert_2^2",
        example="mean(squared_norm(grad(D(x), x)))",
    ),
    core(
        "norm",
        "values",
        "Euclidean norm of each sample: (batch, ...) to (batch,).",
        r"\sqrt{\sum_j v_j^2}",
        module="samples",
        latex=r"\left\lVert {0}\right\rVert_2",
        example="norm(grad(D(x), x))",
    ),
    core(
        "sample_mean",
        "values",
        "Mean of each sample: (batch, ...) to (batch,), for scores.",
        r"\frac{1}{d}\sum_j v_j",
        module="samples",
        latex=r"\overline{{{0}}}",
        example="sample_mean(abs(x - recon))",
    ),
    core(
        "softmax",
        "logits",
        "Softmax over the channels.",
        r"\frac{e^{\ell_c}}{\sum_k e^{\ell_k}}",
        module="samples",
        example="softmax(Q.classes(x))",
    ),
    core(
        "part",
        "values first end",
        "Channels first to end - 1: (batch, c, ...) to (batch, end - first, ...).",
        r"v_{a..b-1}",
        module="samples",
        example="part(h, 0, 3)",
    ),
    core(
        "one_hot",
        "label classes",
        "Whole numbers (batch,) as vectors (batch, classes).",
        r"e_y",
        module="samples",
        example="concatenate(z, one_hot(y, 10))",
    ),
    core(
        "rows",
        "values n",
        "The same vector n times: (batch, d) to (batch, n, d), for layers that read row by row.",
        r"(v, \ldots, v)",
        module="samples",
        source="arXiv:1812.04948",
        example="rows(M(z), 8)",
    ),
    core(
        "mix_rows",
        "a b probability",
        "With this probability the rows of a sample from a random one on are those of b: "
        "(batch, n, d), style mixing.",
        r"(a_1..a_{k-1}, b_k..b_n)",
        module="samples",
        source="arXiv:1812.04948",
        example="mix_rows(rows(M(z), 8), rows(h, 8), 0.9)",
        noise=("gate", "cut"),
    ),
    core(
        "patches",
        "values places",
        "Channels at n places of each map, one in each of n equal strips: (batch, c, n, 1); "
        "equal noise, uniform in [0, 1), (batch, n), means equal places.",
        r"v_{:,\,k(u_i)}",
        module="samples",
        source="arXiv:2007.15651",
        example="patches(F.features(x), u)",
    ),
    core(
        "mirror",
        "values chance",
        "Maps mirrored left to right where the noise, uniform in [0, 1), (batch, 1), is below "
        "1/2; equal noise mirrors equal samples.",
        r"v_{c,\,i,\,w+1-j}\ \text{if}\ u<\tfrac12",
        module="samples",
        source="arXiv:2007.15651",
        example="G(mirror(x, u))",
    ),
    core(
        "cutmix",
        "a b box",
        "a, with a random box of b: the box is uniform noise in [0, 1), (batch, 3), which "
        "is its share of the area and its place.",
        r"m\odot a+(1-m)\odot b",
        module="samples",
        source="arXiv:1905.04899",
        example="cutmix(x, fake, box)",
    ),
)
