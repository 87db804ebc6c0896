"""Choices that follow from words alone."""

from hashlib import sha256


def number_of(*words: object) -> int:
    """A large number that depends only on the words, the same on every machine."""
    return int.from_bytes(sha256(repr(words).encode()).digest()[:8], "big")
