"""Expressions: read, written, set in LaTeX, and safe against whatever text arrives."""

from __future__ import annotations

import contextlib
import keyword
import math
import time

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from ganzoo.errors import SpecError
from ganzoo.spec.expression import (
    MAX_DEPTH,
    MAX_LENGTH,
    Binary,
    Call,
    Expression,
    Name,
    Negative,
    Number,
    Several,
    latex,
    parse,
    walk,
)

A, B, C = Name("a"), Name("b"), Name("c")


# ----------------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a", A),
        ("  a\n", A),
        ("1", Number(1.0)),
        (".5", Number(0.5)),
        ("2.5e-5", Number(2.5e-5)),
        ("a + b * c", Binary("+", A, Binary("*", B, C))),
        ("(a + b) * c", Binary("*", Binary("+", A, B), C)),
        ("a - b - c", Binary("-", Binary("-", A, B), C)),
        ("a - (b - c)", Binary("-", A, Binary("-", B, C))),
        ("a / b / c", Binary("/", Binary("/", A, B), C)),
        ("a / b * c", Binary("*", Binary("/", A, B), C)),
        ("-a", Negative(A)),
        ("-a + b", Binary("+", Negative(A), B)),
        ("-a * b", Binary("*", Negative(A), B)),
        ("-(a * b)", Negative(Binary("*", A, B))),
        ("a - -b", Binary("-", A, Negative(B))),
        ("D(a)", Call("D", (A,))),
        ("D(a, b)", Call("D", (A, B))),
        ("D.features(a)", Call("D", (A,), "features")),
        ("now()", Call("now", ())),
        ("f((a, b), c)", Call("f", (Several((A, B)), C))),
        ("f((a,))", Call("f", (Several((A,)),))),
        (
            "bce(D(a), 1) + 10 * penalty(c, a, b)",
            Binary(
                "+",
                Call("bce", (Call("D", (A,)), Number(1.0))),
                Binary("*", Number(10.0), Call("penalty", (C, A, B))),
            ),
        ),
    ],
)
def test_text_becomes_the_tree_of_the_usual_precedence(text: str, tree: Expression) -> None:
    assert parse(text) == tree


def test_walk_goes_from_the_outside_in() -> None:
    names = [str(part) for part in walk(parse("f((a, -b), D.t(c)) / 2"))]
    assert names == [
        "f((a, -b), D.t(c)) / 2", "f((a, -b), D.t(c))", "(a, -b)", "a", "-b", "b", "D.t(c)", "c",
        "2",
    ]  # fmt: skip


# ----------------------------------------------------------------------------- writing


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("((a))+b", "a + b"),
        ("(a*b)*c", "a * b * c"),
        ("(a+b)*c", "(a + b) * c"),
        ("a-(b-c)", "a - (b - c)"),
        ("a-(b+c)", "a - (b + c)"),
        ("a/(b*c)", "a / (b * c)"),
        ("-(a+b)", "-(a + b)"),
        ("D.features( a )", "D.features(a)"),
        ("f((a,b) , c)", "f((a, b), c)"),
        ("10*a", "10 * a"),
        ("1e-08*a", "1e-08 * a"),
        ("0.50*a", "0.5 * a"),
    ],
)
def test_text_is_written_with_the_parentheses_that_it_needs(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical


names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,4}", fullmatch=True).filter(
    lambda name: not keyword.iskeyword(name)
)
numbers = st.floats(min_value=0, allow_nan=False, allow_infinity=False).map(abs)
trees = st.recursive(
    st.builds(Number, numbers) | st.builds(Name, names),
    lambda inner: st.one_of(
        st.builds(Negative, inner),
        st.builds(Binary, st.sampled_from("+-*/"), inner, inner),
        st.builds(Call, names, st.lists(inner, max_size=3).map(tuple), st.none() | names),
        st.builds(Several, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(trees)
@example(Negative(Binary("*", A, B)))
@example(Negative(Negative(A)))
@example(Binary("*", A, Binary("*", B, C)))
@example(Binary("*", A, Binary("/", B, C)))
@example(Binary("+", A, Binary("-", B, C)))
@example(Binary("/", A, Negative(B)))
@example(Call("f", (Several((A,)),)))
def test_every_tree_survives_its_text(tree: Expression) -> None:
    text = str(tree)
    assume(len(text) <= MAX_LENGTH)
    assert parse(text) == tree


@pytest.mark.parametrize("value", [1e-8, 2.5e-5, 0.1, 1 / 3, 0.1 + 0.2, 123456789.0, 1e22, 5e-324])
def test_numbers_are_written_exactly(value: float) -> None:
    assert float(str(Number(value))) == value
    assert str(Number(-value)) == f"-{Number(value)}"


def test_whole_numbers_are_written_without_a_point() -> None:
    assert [str(Number(value)) for value in (0.0, 1.0, 50.0, -3.0)] == ["0", "1", "50", "-3"]


@settings(max_examples=500, deadline=None)
@given(numbers)
def test_every_number_survives_its_text(value: float) -> None:
    assert parse(str(Number(value))) == Number(value)


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.builds(Number, st.integers(1, 9).map(float)),
        lambda inner: (
            st.builds(Negative, inner) | st.builds(Binary, st.sampled_from("+-*/"), inner, inner)
        ),
        max_leaves=8,
    )
)
def test_the_text_means_what_the_tree_means(tree: Expression) -> None:
    """Python, reading the text, comes to the number that the tree says."""

    def value(node: Expression) -> float:
        match node:
            case Number(number):
                return number
            case Negative(operand):
                return -value(operand)
            case Binary(operator, left, right):
                a, b = value(left), value(right)
                table = {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else math.inf}
                return table[operator]
            case _:
                raise AssertionError(node)

    try:
        expected = value(tree)
        assert eval(str(tree), {"__builtins__": {}}) == expected
    except ZeroDivisionError:
        pass


# ------------------------------------------------------------------------ hostile text

HOSTILE = [
    "__import__('os').system('true')",
    "().__class__.__bases__[0]",
    "x.__class__",
    "x.y",
    "D.features",
    "D.a.b(x)",
    "D(x)(x)",
    "(D)(x).y(x)",
    "D(*x)",
    "D(**x)",
    "D(x=1)",
    "f(x for x in y)",
    "[x]",
    "[x for x in y]",
    "{x}",
    "{'a': x}",
    "x[0]",
    "x[:]",
    "lambda: x",
    "(x := 1)",
    "x if y else z",
    "x and y",
    "not x",
    "x <= y",
    "x < y < z",
    "x == y",
    "G.ema.ema(z)",
    "G.a.b(z)",
    "x == y",
    "x is y",
    "x in y",
    "x ** 2",
    "x // 2",
    "x % 2",
    "x @ y",
    "x | y",
    "x << 2",
    "+x",
    "~x",
    "'text'",
    "b'bytes'",
    "f'{x}'",
    "None",
    "True",
    "...",
    "1j",
    "()",
    "1e999",
    "9" * 400,
    "await x",
    "(yield x)",
    "x = 1",
    "x; y",
    "import os",
    "x y",
    "",
    "   ",
    "#",
    "\0",
    "x\0",
    "\ud800",
    "\\",
    "(" * 500 + "x" + ")" * 499,
    "(" * 300 + "x" + ")" * 300,
    "-" * 900 + "x",
    "[" * 900,
    "f(" * 300 + "x" + ")" * 300,
    "x" + "+x" * 400,
    "x" + ".y" * 400 + "(z)",
    "x" * (MAX_LENGTH + 1),
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:24])
def test_hostile_text_is_refused(text: str) -> None:
    begin = time.perf_counter()
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert time.perf_counter() - begin < 0.5
    [(path, message)] = caught.value.problems
    assert path == ""
    assert message


pieces = st.sampled_from(
    [
        "x", "D", "é", "ﬁ", "0x1", "1e", "1_0", "1j", "9" * 40, "(", ")", "[", "]", "{", "}", ",",
        ".", ":", ";", ":=", "=", "==", "+", "-", "*", "**", "/", "//", "@", "%", "~", "<", "'",
        '"', "f'", "{x}", "\\", "#", "\n", "\r", "\f", "\t", " ", "\0", "\ud800", "\u2028",
        "\ufeff", "lambda ", "if ", " else ", " for ", " in ", "await ", "yield ", "not ",
        "None", "...",
    ]
)  # fmt: skip


@settings(max_examples=2500, deadline=500)
@given(st.text(max_size=60) | st.lists(pieces, max_size=30).map("".join))
def test_any_text_is_an_expression_or_a_spec_error(text: str) -> None:
    try:
        tree = parse(text)
    except SpecError:
        return
    assert parse(str(tree)) == tree


@settings(max_examples=200, deadline=500)
@given(pieces, st.integers(1, MAX_LENGTH))
def test_repetition_is_harmless(piece: str, count: int) -> None:
    with contextlib.suppress(SpecError):
        parse((piece * count)[:MAX_LENGTH])


def test_depth_is_bounded_at_the_limit_and_not_before() -> None:
    assert str(parse("f(" * MAX_DEPTH + "x" + ")" * MAX_DEPTH)).count("f") == MAX_DEPTH
    with pytest.raises(SpecError, match=f"more than {MAX_DEPTH} deep; name parts of it with let"):
        parse("f(" * (MAX_DEPTH + 1) + "x" + ")" * (MAX_DEPTH + 1))


def test_length_is_bounded_at_the_limit_and_not_before() -> None:
    assert parse("x" * MAX_LENGTH) == Name("x" * MAX_LENGTH)
    with pytest.raises(SpecError, match=f"at most {MAX_LENGTH}"):
        parse("x" * (MAX_LENGTH + 1))


def test_a_refusal_shows_the_piece_and_what_is_allowed() -> None:
    with pytest.raises(SpecError) as caught:
        parse("bce(D(x ** 2), 1)")
    message = str(caught.value)
    assert message.startswith("'x ** 2' is not part of the language; allowed: numbers, names")
    assert "D.features(x)" in message


# ------------------------------------------------------------------------------- LaTeX


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x", "x"),
        ("fake", r"\mathrm{fake}"),
        ("big_one", r"\mathrm{big\_one}"),
        ("a / b", r"\frac{a}{b}"),
        ("(a + b) / (a - b)", r"\frac{a + b}{a - b}"),
        ("2 * a", r"2 \, a"),
        ("a * b", r"a \cdot b"),
        ("(a + b) * c", r"\left(a + b\right) \cdot c"),
        ("a - (b + c)", r"a - \left(b + c\right)"),
        ("a + b + c", "a + b + c"),
        ("-(a + b)", r"-\left(a + b\right)"),
        ("-a * b", r"-a \cdot b"),
        ("a * -b", r"a \cdot \left(-b\right)"),
        ("4 * 10 * a", r"4 \cdot 10 \cdot a"),
        ("4 * 2e-5", r"4 \cdot 2 \cdot 10^{-5}"),
        ("4 * (a / 2)", r"4 \, \frac{a}{2}"),
        ("4 * (1 / 2)", r"4 \cdot \frac{1}{2}"),
        ("1e-8 * a", r"1 \cdot 10^{-8} \, a"),
        ("2.5e20", r"2.5 \cdot 10^{20}"),
        ("0.25", "0.25"),
        ("D(x)", "D(x)"),
        ("D.features(x)", r"D_{\mathrm{features}}(x)"),
        ("D.top_most(x)", r"D_{\mathrm{top\_most}}(x)"),
        ("f((a, b), c)", r"f(\left(a, b\right), c)"),
    ],
)
def test_latex(text: str, expected: str) -> None:
    assert latex(parse(text), lambda node, parts: None) == expected


def test_a_call_may_be_set_its_own_way() -> None:
    def norm(node: Call, parts: tuple[str, ...]) -> str | None:
        return rf"\lVert {parts[0]} \rVert" if node.name == "norm" else None

    assert latex(parse("norm(a + b) + D(a)"), norm) == r"\lVert a + b \rVert + D(a)"
