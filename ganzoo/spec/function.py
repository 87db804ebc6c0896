"""Declarations of functions of the language, without torch."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Function:
    """A function that expressions can call.

    Args:
        name: the word.
        parameters: names in order; the first `required` have no default.
        implementation: the callable, or `"module:attribute"`, loaded at first use. It takes
            tensors (batch first) and numbers; a network arrives as a callable; noise by keyword.
            None for the core's, whose code `ganzoo.nn.functions` finds by `subject` and name.
        networks: the parameters that take a network itself and not a value.
        noise: keyword arguments that ganzoo fills with uniform numbers in [0, 1): one per sample,
            shape `(batch,)`, or, in a mapping of names to n, shape `(batch, n)`; drawn like all
            other random numbers, so that runs are reproducible.
        refuses: the kinds of layers that its networks must not have, each with the reason.
        passes: the number of forward passes through its network.
        weights: the parameters among `networks` whose weights it reads without a forward pass;
            such a network arrives as an object whose `matrices()` are its weights by path, each
            as a matrix (outputs, inputs), with gradients.
        reduces: its value is a mean over the batch, so that over several processes it is the mean
            of their values.
        mixes: its result for a sample depends on the other samples, so that several processes pass
            it all their samples.
        stops_gradient: no gradient flows through it, so its arguments need no graph.
        constants: the parameters that receive no gradient, while the others do.
        summary: one sentence. formula: LaTeX. latex: the LaTeX template of a call, with `{0}`,
            `{1}` for the arguments; None shows the name and its arguments.
        source: its origin (arXiv id). example: a call of the function.
    """

    name: str
    parameters: tuple[str, ...]
    required: int
    implementation: Callable[..., Any] | str | None = field(repr=False)
    networks: tuple[str, ...] = ()
    noise: tuple[str, ...] | Mapping[str, int] = ()
    refuses: Mapping[str, str] = field(default_factory=lambda: dict[str, str]())
    passes: int = 0
    weights: tuple[str, ...] = ()
    reduces: bool = False
    mixes: bool = False
    stops_gradient: bool = False
    constants: tuple[str, ...] = ()
    summary: str = ""
    formula: str = ""
    latex: str | None = None
    source: str = ""
    example: str = ""
    subject: str = ""

    @classmethod
    def of(cls, implementation: Callable[..., Any], **declared: Any) -> Function:
        """Declare a plain Python function; name, parameters and summary are taken from it.

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
        """The callable of a plugin's function."""
        if callable(self.implementation):
            return self.implementation
        if self.implementation is None:
            raise LookupError(f"the code of {self.name!r} is the core's: ganzoo.nn.functions.load")
        module, _, attribute = self.implementation.partition(":")
        return getattr(import_module(module), attribute)

    @property
    def signature(self) -> str:
        shown = [
            name if index < self.required else f"{name}=..."
            for index, name in enumerate(self.parameters)
        ]
        return f"{self.name}({', '.join(shown)})"

    @property
    def draws(self) -> dict[str, int]:
        """How many uniform numbers per sample `noise` requests, by name; 0 means shape (batch,)."""
        return dict(self.noise) if isinstance(self.noise, Mapping) else dict.fromkeys(self.noise, 0)


def core(
    name: str,
    parameters: str,
    summary: str,
    formula: str,
    *,
    module: str,
    latex: str | None = None,
    source: str = "",
    example: str,
    **more: Any,
) -> Function:
    """A function of the core; its code is the function of that name in `ganzoo.nn.functions`.

    `parameters` are names separated by spaces; a `?` marks optional ones.
    """
    words = parameters.split()
    return Function(
        name=name,
        parameters=tuple(word.rstrip("?") for word in words),
        required=sum(not word.endswith("?") for word in words),
        implementation=None,
        subject=module,
        summary=summary,
        formula=formula,
        latex=latex,
        source=source,
        example=example,
        **more,
    )
