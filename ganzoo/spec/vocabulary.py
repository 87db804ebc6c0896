"""The words that expressions and networks may use: functions and kinds of layers.

The core's functions are declared here, without torch; their code is in
`ganzoo.nn.functions` and loads when something runs. Plugins add words through the
hooks `ganzoo_functions` and `ganzoo_layers`; the host joins them to the core's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ganzoo.errors import PluginError

if TYPE_CHECKING:
    from ganzoo.spec.layers import Layer


@dataclass(frozen=True)
class Function:
    """A function that expressions can call.

    Args:
        name: the word.
        parameters: names in order; the first `required` have no default.
        implementation: the callable, or `"module:attribute"`, loaded at first use. It takes
            tensors (batch first) and numbers; a network arrives as a callable; noise by keyword.
        networks: the parameters that take a network itself and not a value.
        noise: keyword arguments that ganzoo fills with one uniform number in [0, 1) a
            sample, shape `(batch,)`; drawn as every other randomness, so that runs repeat.
        refuses: kinds of layers that the networks must not have, each with the reason.
        passes: how many forward passes it makes of its network.
        stops_gradient: no gradient flows through it, so nothing behind it needs a graph.
        summary: one sentence. formula: LaTeX. latex: how a call of it is set, with
            `{0}`, `{1}` for the arguments; None sets the name and its arguments.
        source: where it comes from (arXiv id). example: a call of it.
    """

    name: str
    parameters: tuple[str, ...]
    required: int
    implementation: Callable[..., Any] | str = field(repr=False)
    networks: tuple[str, ...] = ()
    noise: tuple[str, ...] = ()
    refuses: Mapping[str, str] = field(default_factory=lambda: dict[str, str]())
    passes: int = 0
    stops_gradient: bool = False
    summary: str = ""
    formula: str = ""
    latex: str | None = None
    source: str = ""
    example: str = ""

    @classmethod
    def of(cls, implementation: Callable[..., Any], **declared: Any) -> Function:
        """Declare a plain Python function: name, parameters and summary are read off it.

        def lsgan(scores, target):
            "Least squares against a target."
            return ((scores - target) ** 2).mean()

        Function.of(lsgan, formula=r"(s-t)^2", source="arXiv:1611.04076")
        """
        parameters = inspect.signature(implementation).parameters.values()
        positional = [p for p in parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY]
        declared = {
            "name": implementation.__name__,
            "parameters": tuple(p.name for p in positional),
            "required": sum(p.default is inspect.Parameter.empty for p in positional),
            "summary": (inspect.getdoc(implementation) or "").split("\n")[0],
            **declared,
        }
        return cls(implementation=implementation, **declared)

    def load(self) -> Callable[..., Any]:
        """The callable behind the declaration; imports torch for the core's."""
        if callable(self.implementation):
            return self.implementation
        module, _, attribute = self.implementation.partition(":")
        return getattr(import_module(module), attribute)

    @property
    def signature(self) -> str:
        shown = [
            name if index < self.required else f"{name}=..."
            for index, name in enumerate(self.parameters)
        ]
        return f"{self.name}({', '.join(shown)})"


@dataclass(frozen=True)
class Vocabulary:
    """The functions by name and the classes of layers by kind.

    `providers` names the distributions that bring them, by ("functions" or "layers", name);
    the core's own have none.
    """

    functions: Mapping[str, Function]
    layers: Mapping[str, type[Layer]]
    providers: Mapping[tuple[str, str], str] = field(
        default_factory=lambda: dict[tuple[str, str], str]()
    )


_BATCH_COUPLED = dict.fromkeys(
    ("batch_norm", "minibatch_std"),
    "it mixes the samples of a batch, so the gradient for one sample depends on the "
    "others (arXiv:1704.00028, section 4); use layer_norm, instance_norm or none",
)


def _core(
    name: str,
    parameters: str,
    summary: str,
    formula: str,
    *,
    module: str = "losses",
    latex: str | None = None,
    source: str = "",
    example: str,
    **more: Any,
) -> Function:
    words = parameters.split()
    return Function(
        name=name,
        parameters=tuple(word.rstrip("?") for word in words),
        required=sum(not word.endswith("?") for word in words),
        implementation=f"ganzoo.nn.functions.{module}:{name}",
        summary=summary,
        formula=formula,
        latex=latex,
        source=source,
        example=example,
        **more,
    )


FUNCTIONS: dict[str, Function] = {
    function.name: function
    for function in (
        _core(
            "bce",
            "logits target",
            "Binary cross-entropy of logits against a target in [0, 1], averaged.",
            r"-t\log\sigma(\ell)-(1-t)\log(1-\sigma(\ell))",
            latex=r"\mathrm{{BCE}}\left({0},\, {1}\right)",
            source="arXiv:1406.2661",
            example="bce(D(x), 1)",
        ),
        _core(
            "mean",
            "values",
            "Mean over the batch and all else.",
            r"\frac{1}{n}\sum_i v_i",
            latex=r"\mathbb{{E}}\left[{0}\right]",
            module="arithmetic",
            example="mean(C(fake))",
        ),
        _core(
            "mse",
            "a b",
            "Mean squared difference.",
            r"\frac{1}{n}\sum_i (a_i-b_i)^2",
            latex=r"\left\lVert {0} - {1} \right\rVert_2^2",
            example="mse(code, recode)",
        ),
        _core(
            "l1",
            "a b",
            "Mean absolute difference.",
            r"\frac{1}{n}\sum_i |a_i-b_i|",
            latex=r"\left\lVert {0} - {1} \right\rVert_1",
            example="l1(x, recon)",
        ),
        _core(
            "distance",
            "a b",
            "Mean squared difference of each sample: one number a sample, for scores.",
            r"\frac{1}{d}\sum_{j=1}^{d} (a_j-b_j)^2",
            latex=r"d\left({0}, {1}\right)",
            source="arXiv:1805.06725",
            example="distance(code, recode)",
        ),
        _core(
            "cross_entropy",
            "logits label",
            "Cross-entropy of class logits (batch, classes) against integer labels (batch,).",
            r"-\log\mathrm{softmax}(\ell)_y",
            source="arXiv:1610.09585",
            example="cross_entropy(Q.classes(x), y)",
        ),
        _core(
            "hinge",
            "scores sign",
            "Hinge loss: sign 1 pushes scores above 1, sign -1 below -1.",
            r"\max(0, 1-s\,v)",
            source="arXiv:1705.02894",
            example="hinge(D(x), 1)",
        ),
        _core(
            "kl",
            "h",
            "KL divergence of N(mean, std) from N(0, 1), mean over batch and dimensions; "
            "h is (mean, log std) side by side, shape (batch, 2d).",
            r"\frac{1}{2}\left(\mu^2+\sigma^2-1-\log\sigma^2\right)",
            latex=r"D_\mathrm{{KL}}\left({0}\right)",
            source="arXiv:1612.03242",
            module="distributions",
            example="2 * kl(h)",
        ),
        _core(
            "reparameterize",
            "h noise",
            "A sample mean + std * noise of the Gaussian h = (mean, log std), "
            "h (batch, 2d), noise (batch, d).",
            r"\mu+\sigma\odot\epsilon",
            source="arXiv:1312.6114",
            module="distributions",
            example="reparameterize(E(x), e)",
        ),
        _core(
            "average",
            "h",
            "The mean of the Gaussian h = (mean, log std): (batch, 2d) to (batch, d).",
            r"\mu",
            module="distributions",
            example="average(E(x))",
        ),
        _core(
            "gradient_penalty",
            "critic real fake given?",
            "Two-sided penalty on the gradient norm of a critic between real and fake: one "
            "random point a sample, one norm over all inputs of a sample but those given, such "
            "as a label.",
            r"\left(\lVert\nabla_{\hat x} C(\hat x)\rVert_2-1\right)^2,\quad "
            r"\hat x=\alpha x+(1-\alpha)\tilde x",
            latex=r"\mathrm{{GP}}_{{{0}}}\left({1}, {2}\right)",
            source="arXiv:1704.00028",
            module="penalties",
            example="10 * gradient_penalty(C, x, fake)",
            networks=("critic",),
            noise=("mix",),
            refuses=_BATCH_COUPLED,
            passes=1,
        ),
        _core(
            "r1",
            "critic inputs given?",
            "Squared gradient norm of a critic at these samples, mean over the batch: R1 at real "
            "ones, R2 at fakes. What is given, such as a label, counts for nothing in the norm.",
            r"\lVert\nabla_x C(x)\rVert_2^2",
            source="arXiv:1801.04406",
            module="penalties",
            example="5 * r1(D, x)",
            networks=("critic",),
            refuses=_BATCH_COUPLED,
            passes=1,
        ),
        _core(
            "feature_matching",
            "real fake",
            "Squared difference of the batch means of features, averaged over the features.",
            r"\frac{1}{d}\left\lVert\bar f(x)-\bar f(\tilde x)\right\rVert_2^2",
            source="arXiv:1606.03498",
            example="feature_matching(D.features(b), D.features(ab))",
        ),
        _core(
            "contrastive",
            "a b scale",
            "Symmetric cross-entropy of finding in a batch which b belongs to which a, "
            "by the cosines of a and b (batch, d), times scale.",
            r"-\frac{1}{2}\left(\log\mathrm{softmax}_j(s\cos(a_i,b_j))"
            r"+\log\mathrm{softmax}_j(s\cos(a_j,b_i))\right)_{j=i}",
            source="arXiv:2103.00020",
            example="contrastive(I(x), T(t), 10)",
        ),
        _core(
            "softplus",
            "values",
            "log(1 + exp(v)), element by element.",
            r"\log(1+e^{v})",
            module="arithmetic",
            example="mean(softplus(-D(x)))",
        ),
        _core(
            "relu",
            "values",
            "max(0, v), element by element.",
            r"\max(0,v)",
            module="arithmetic",
            example="mean(relu(1 - D(x)))",
        ),
        _core(
            "sigmoid",
            "values",
            "1 / (1 + exp(-v)), element by element.",
            r"\frac{1}{1+e^{-v}}",
            latex=r"\sigma\left({0}\right)",
            module="arithmetic",
            example="sigmoid(D(x))",
        ),
        _core(
            "log",
            "values",
            "Natural logarithm.",
            r"\ln v",
            latex=r"\log\left({0}\right)",
            module="arithmetic",
            example="mean(log(sigmoid(D(x))))",
        ),
        _core(
            "exp",
            "values",
            "Exponential.",
            r"e^{v}",
            latex=r"\exp\left({0}\right)",
            module="arithmetic",
            example="exp(h)",
        ),
        _core(
            "square",
            "values",
            "v * v, element by element.",
            r"v^2",
            latex=r"\left({0}\right)^2",
            module="arithmetic",
            example="mean(square(D(x) - 1))",
        ),
        _core(
            "abs",
            "values",
            "Absolute value, element by element.",
            r"|v|",
            latex=r"\left|{0}\right|",
            module="arithmetic",
            example="abs(x - recon)",
        ),
        _core(
            "detach",
            "values",
            "The same values, through which no gradient flows.",
            r"v",
            latex=r"\mathrm{{sg}}\left[{0}\right]",
            module="arithmetic",
            example="detach(fake)",
            stops_gradient=True,
        ),
        _core(
            "roll",
            "values",
            "The batch shifted by one, so that each sample meets a stranger.",
            r"v_{i-1}",
            source="arXiv:1612.03242",
            module="arithmetic",
            example="bce(D(roll(x), t), 0)",
        ),
        _core(
            "concatenate",
            "a b",
            "Two values side by side, along the channels.",
            r"(a, b)",
            module="arithmetic",
            example="concatenate(z, c)",
        ),
        _core(
            "resize",
            "images size",
            "Images (batch, c, h, w) to size x size: area when smaller, bilinear when larger.",
            r"\mathrm{resize}(v)",
            module="arithmetic",
            example="resize(x, 32)",
        ),
    )
}


_extension: Callable[[], Vocabulary] | str = "ganzoo.plugins.host:vocabulary"


def extend_with(extension: Callable[[], Vocabulary] | str) -> Callable[[], Vocabulary] | str:
    """Let `current()` ask `extension` for words beyond the core's; returns what it asked before.

    By default it asks the host, which stands below this module and loads at the first word
    that the core does not know.
    """
    global _extension
    before, _extension = _extension, extension
    return before


def current() -> Vocabulary:
    """The core's words and those of the plugins that the host found."""
    if callable(_extension):
        return _extension()
    module, _, attribute = _extension.partition(":")
    return getattr(import_module(module), attribute)()


def core() -> Vocabulary:
    """The core's words alone."""
    from ganzoo.spec.layers import LAYERS

    return Vocabulary(FUNCTIONS, LAYERS)


def function(name: str) -> Function | None:
    """The function of that name: the core's at once, a plugin's once the host has looked."""
    return FUNCTIONS.get(name) or current().functions.get(name)


def layer(kind: str) -> type[Layer] | None:
    """The class of layers of that kind: the core's at once, a plugin's once the host has looked."""
    return core().layers.get(kind) or current().layers.get(kind)


def load(name: str) -> Callable[..., Any]:
    """The callable of that name."""
    declared = function(name)
    if declared is None:
        raise PluginError(f"no function {name!r}; see `ganzoo plugins`")
    return declared.load()
