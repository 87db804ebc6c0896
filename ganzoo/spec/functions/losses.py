"""Losses between values and targets, and between values."""

from __future__ import annotations

from ganzoo.spec.function import Function, core

LOSSES: tuple[Function, ...] = (
    core(
        "bce",
        "logits target",
        "Binary cross-entropy of logits against a target in [0, 1], averaged.",
        r"-t\log\sigma(\ell)-(1-t)\log(1-\sigma(\ell))",
        latex=r"\mathrm{{BCE}}\left({0},\, {1}\right)",
        source="arXiv:1406.2661",
        module="losses",
        example="bce(D(x), 1)",
        reduces=True,
    ),
    core(
        "mse",
        "a b",
        "Mean squared difference.",
        r"\frac{1}{n}\sum_i (a_i-b_i)^2",
        latex=r"\left\lVert {0} - {1} \right\rVert_2^2",
        module="losses",
        example="mse(code, recode)",
        reduces=True,
    ),
    core(
        "l1",
        "a b",
        "Mean absolute difference.",
        r"\frac{1}{n}\sum_i |a_i-b_i|",
        latex=r"\left\lVert {0} - {1} \right\rVert_1",
        module="losses",
        example="l1(x, recon)",
        reduces=True,
    ),
    core(
        "distance",
        "a b",
        "Mean squared difference of each sample: one number a sample, for scores.",
        r"\frac{1}{d}\sum_{j=1}^{d} (a_j-b_j)^2",
        latex=r"d\left({0}, {1}\right)",
        source="arXiv:1805.06725",
        module="losses",
        example="distance(code, recode)",
    ),
    core(
        "cross_entropy",
        "logits label",
        "Cross-entropy of class logits (batch, classes) against integer labels (batch,).",
        r"-\log\mathrm{softmax}(\ell)_y",
        source="arXiv:1610.09585",
        module="losses",
        example="cross_entropy(Q.classes(x), y)",
        reduces=True,
    ),
    core(
        "hinge",
        "scores sign",
        "Hinge loss: sign 1 pushes scores above 1, sign -1 below -1.",
        r"\max(0, 1-s\,v)",
        source="arXiv:1705.02894",
        module="losses",
        example="hinge(D(x), 1)",
        reduces=True,
    ),
    core(
        "feature_matching",
        "real fake",
        "Squared difference of the batch means of features, averaged over the features.",
        r"\frac{1}{d}\left\lVert\bar f(x)-\bar f(\tilde x)\right\rVert_2^2",
        source="arXiv:1606.03498",
        module="losses",
        example="feature_matching(D.features(b), D.features(ab))",
        reduces=True,
    ),
    core(
        "contrastive",
        "a b scale",
        "Symmetric cross-entropy of finding in a batch which b belongs to which a, "
        "by the cosines of a and b (batch, d), times scale.",
        r"-\frac{1}{2}\left(\log\mathrm{softmax}_j(s\cos(a_i,b_j))"
        r"+\log\mathrm{softmax}_j(s\cos(a_j,b_i))\right)_{j=i}",
        source="arXiv:2103.00020",
        module="losses",
        example="contrastive(I(x), T(t), 10)",
        reduces=True,
    ),
    core(
        "infonce",
        "queries keys temperature",
        "Cross-entropy of finding a query's own key among all places of its sample, by cosines "
        "of maps (batch, d, ...); no gradient flows into the keys.",
        r"-\log\frac{e^{q\cdot k^+/\tau}}{\sum_k e^{q\cdot k/\tau}}",
        module="losses",
        source="arXiv:2007.15651",
        example="infonce(patches(F.features(fake), u), patches(F.features(x), u), 0.07)",
        constants=("keys",),
        reduces=True,
    ),
)
