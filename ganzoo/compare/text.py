"""Numbers, and text from files, as a comparison shows them."""

from __future__ import annotations


def number(value: float) -> str:
    """Four digits of a figure, all that stand before its point."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"


def clean(text: str) -> str:
    """Text of a file without what cannot be shown: controls, lone surrogates, turned lines."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def line(text: str) -> str:
    """Text of a file as one line."""
    return clean(" ".join(text.split()))
