"""Expressions: the small closed language in which a Spec writes its mathematics.

    bce(D(fake), 1) + 10 * gradient_penalty(C, x, fake)

The language has numbers, names, `+ - * /`, comparisons (`step < 1000`, with the value 1 or 0),
calls of networks and functions, named outputs of a network (`D.features(x)`), its moving average
(`G.ema(z)`, `G.ema.features(z)`) and, as an argument, several values in parentheses
(`(x, code)`). Python's `ast` parses the text; nothing is evaluated. The tree can be written as
text, as LaTeX, and (in `ganzoo.engine.plan`) as Python code.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ganzoo.errors import SpecError, nearest

MAX_LENGTH = 1000
MAX_DEPTH = 40

Operator = Literal["+", "-", "*", "/", "<", ">"]
EMA = "ema"
"""The suffix of a network for its moving average; no tap may have this name."""
GRADIENT = "grad"
"""`grad(y, x)`, the only call that is neither of a network nor of a function."""


@dataclass(frozen=True)
class Number:
    value: float

    def __str__(self) -> str:
        return repr(self.value).removesuffix(".0")


@dataclass(frozen=True)
class Name:
    """The name of a draw, a let, a state, or (as an argument of a function) a network."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Negative:
    operand: Expression

    def __str__(self) -> str:
        return f"-{_wrapped(self.operand, 3)}"


@dataclass(frozen=True)
class Binary:
    operator: Operator
    left: Expression
    right: Expression

    def __str__(self) -> str:
        rank = RANK[self.operator]
        # the right operand needs parentheses at equal precedence: a + (b + c) is another tree;
        # so does the left one of a comparison, since Python chains them
        left = _wrapped(self.left, rank + (rank == 0))
        return f"{left} {self.operator} {_wrapped(self.right, rank + 1)}"


@dataclass(frozen=True)
class Call:
    """`name(arguments)`: a call of a network or a function.

    `output` is the named output in `D.features(x)`; `average` is true for `G.ema(z)`, the network
    with its averaged weights.
    """

    name: str
    arguments: tuple[Expression, ...]
    output: str | None = None
    average: bool = False

    def __str__(self) -> str:
        parts = (self.name, EMA if self.average else None, self.output)
        return f"{'.'.join(filter(None, parts))}({', '.join(map(str, self.arguments))})"


@dataclass(frozen=True)
class Several:
    """`(x, code)`: several values as one argument of a function."""

    items: tuple[Expression, ...]

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.items))}{',' * (len(self.items) == 1)})"


Expression = Number | Name | Negative | Binary | Call | Several

_OPERATORS: dict[type[ast.operator], Operator] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
}
_COMPARISONS: dict[type[ast.cmpop], Operator] = {ast.Lt: "<", ast.Gt: ">"}
RANK: dict[str, int] = {"<": 0, ">": 0, "+": 1, "-": 1, "*": 2, "/": 2}


def _wrapped(item: Expression, rank: int) -> str:
    inner = (
        RANK[item.operator] if isinstance(item, Binary) else 2 if isinstance(item, Negative) else 9
    )
    return f"({item})" if inner < rank else str(item)


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """The tree of `text`; SpecError if it is not in the language.

    Length and depth are bounded, so that malicious text cannot use much time or memory.
    """
    if len(text) > MAX_LENGTH:
        raise SpecError(
            f"an expression of {len(text)} characters; at most {MAX_LENGTH} are allowed"
        )
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else type(error).__name__
        raise SpecError(f"{text!r} is not an expression ({reason})") from None
    return _convert(tree, text, 0)


def _convert(node: ast.expr, text: str, depth: int) -> Expression:
    if depth > MAX_DEPTH:
        raise SpecError(
            f"{text[:60]!r} is nested more than {MAX_DEPTH} deep; name parts of it with let"
        )

    def sub(child: ast.expr) -> Expression:
        return _convert(child, text, depth + 1)

    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as value):
            try:
                number = float(value)
            except OverflowError:
                number = math.inf
            if not math.isfinite(number):
                raise SpecError(f"{text!r}: numbers must be finite")
            return Number(number)
        case ast.Name(id=name):
            return Name(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return Negative(sub(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return Binary(_OPERATORS[type(op)], sub(left), sub(right))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
            return Binary(_COMPARISONS[type(op)], sub(left), sub(right))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            return Call(name, tuple(sub(arg) for arg in args))
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id=name), attr=output), args=args, keywords=[]
        ):
            if output == EMA:
                return Call(name, tuple(sub(arg) for arg in args), average=True)
            return Call(name, tuple(sub(arg) for arg in args), output)
        case ast.Call(
            func=ast.Attribute(
                value=ast.Attribute(value=ast.Name(id=name), attr="ema"), attr=output
            ),
            args=args,
            keywords=[],
        ) if output != EMA:
            return Call(name, tuple(sub(arg) for arg in args), output, average=True)
        case ast.Tuple(elts=items) if items:
            return Several(tuple(sub(item) for item in items))
        case _:
            pass
    piece = ast.get_source_segment(text.strip(), node) or text
    instead = f"; write {written}" if (written := _instead(node)) else ""
    raise SpecError(
        f"{piece!r} is not part of the language; allowed: numbers, names, + - * / < >, "
        "calls like D(x) or bce(D(x), 1), outputs like D.features(x) and averages like G.ema(z)"
        + instead
    )


def _instead(node: ast.expr) -> str:
    """How the language writes what Python writes like this; empty if it is not known."""
    match node:
        case ast.BinOp(left=base, op=ast.Pow(), right=ast.Constant(value=2)):
            return f"square({ast.unparse(base)})"
        case ast.BinOp(left=base, op=ast.Pow(), right=power):
            return f"power({ast.unparse(base)}, {ast.unparse(power)})"
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return ast.unparse(operand)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            less, more = (f"({ast.unparse(left)} {sign} {ast.unparse(right)})" for sign in "<>")
            match op:
                case ast.GtE():
                    return f"1 - {less}"
                case ast.LtE():
                    return f"1 - {more}"
                case ast.NotEq():
                    return f"{less} + {more}"
                case ast.Eq():
                    return f"1 - {less} - {more}"
                case _:
                    return ""
        case ast.IfExp(test=test, body=body, orelse=other):
            return f"where({ast.unparse(test)}, {ast.unparse(body)}, {ast.unparse(other)})"
        case _:
            return ""


_USUAL = {
    "max": "maximum", "min": "minimum", "pow": "power", "sum": "mean", "clamp": "clip",
    "cat": "concatenate", "concat": "concatenate", "stop_gradient": "detach", "mae": "l1",
    "ce": "cross_entropy", "gradient": "grad",
}  # fmt: skip
"""Names elsewhere of functions of the language."""


def meant(name: str, allowed: Iterable[str]) -> str:
    """As `nearest`, for a function: it may be known elsewhere by another name."""
    known = {*allowed}
    usual = _USUAL.get(name)
    return f"; did you mean {usual!r}?" if usual in known else nearest(name, known)


def walk(item: Expression) -> Iterator[Expression]:
    """`item` and all its parts, outermost first."""
    yield item
    for part in parts(item):
        yield from walk(part)


_NOT_NEGATIVE = {"sigmoid", "exp", "softplus", "square", "abs", "relu", "norm", "squared_norm",
                 "softmax", "distance", "mse", "l1", "sqrt", "clip", "maximum"}  # fmt: skip


def undefined(text: str) -> str:
    """Advice on an expression that is undefined for negative numbers; empty for all others."""
    for node in walk(parse(text)):
        if not isinstance(node, Call) or node.name not in {"log", "sqrt"}:
            continue
        [inner] = node.arguments
        if _never_negative(inner):
            continue
        if node.name == "sqrt":
            return f"{node} is not a number where {inner} is negative"
        return (
            f"{node} is not a number where {inner} is negative: of logits write "
            f"log(sigmoid({inner})), or bce({inner}, 1), which is minus that and stays finite"
        )
    return ""


def _never_negative(node: Expression) -> bool:
    match node:
        case Number(value):
            return value >= 0
        case Call(name):
            return name in _NOT_NEGATIVE
        case Binary("+" | "*" | "/", left, right):
            return _never_negative(left) and _never_negative(right)
        case Binary("-", Number(value), Call("sigmoid" | "softmax")):
            return value >= 1
        case Binary("<" | ">"):
            return True
        case _:
            return False


def parts(item: Expression) -> tuple[Expression, ...]:
    """The direct parts of `item`."""
    match item:
        case Negative(operand):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case Call(_, arguments) | Several(arguments):
            return arguments
        case _:
            return ()


_FIGURE = re.compile(r"(\\frac\{)?\d")
"""The beginning of LaTeX that begins with a number."""


def latex(item: Expression, call: Callable[[Call, tuple[str, ...]], str | None]) -> str:
    """`item` as LaTeX. `call` may render a call, or return None for the default rendering."""

    def render(node: Expression, rank: int = 0) -> str:
        match node:
            case Number():
                digits, _, power = str(node).partition("e")
                return rf"{digits} \cdot 10^{{{int(power)}}}" if power else digits
            case Name(name):
                return symbol(name)
            case Negative(operand):
                body = f"-{render(operand, 2)}"
                return rf"\left({body}\right)" if rank > 2 else body
            case Binary("/", left, right):
                return rf"\frac{{{render(left)}}}{{{render(right)}}}"
            case Binary(operator, left, right):
                own = RANK[operator]
                # a factor that begins with a minus sign would read as a difference
                binds = operator in "-<>" or (operator == "*" and isinstance(right, Negative))
                after = render(right, own + binds)
                sign = r" \cdot " if operator == "*" else f" {operator} "
                # two numbers side by side would read as one
                if operator == "*" and isinstance(left, Number) and not _FIGURE.match(after):
                    sign = r" \, "
                body = f"{render(left, own + (not own))}{sign}{after}"
                if not own:  # 1 where it holds, and 0 elsewhere
                    return rf"\mathbb{{1}}\left[{body}\right]"
                return rf"\left({body}\right)" if own < rank else body
            case Several(items):
                return rf"\left({', '.join(render(part) for part in items)}\right)"
            case Call(name, arguments, output, average):
                parts = tuple(render(argument) for argument in arguments)
                if name == GRADIENT and len(parts) == 2:
                    return rf"\nabla_{{{parts[1]}}}\, {render(arguments[0], 2)}"
                own_way = call(node, parts)
                if own_way is not None:
                    return own_way
                callee = rf"\overline{{{symbol(name)}}}" if average else symbol(name)
                callee += rf"_{{\mathrm{{{escape(output)}}}}}" if output else ""
                return rf"{callee}({', '.join(parts)})"

    return render(item)


def symbol(name: str) -> str:
    """A name as LaTeX: single letters in italics, words upright."""
    return name if len(name) == 1 else rf"\mathrm{{{escape(name)}}}"


def escape(name: str) -> str:
    return name.replace("_", r"\_")
