"""Random seeds as a function of (seed, step, name), and not of what ran before."""

from __future__ import annotations

import hashlib


def key(seed: int, *parts: object) -> int:
    """A pseudorandom number in [0, 2^63) that depends on all arguments.

    `key(0, 17, "z")` seeds the noise `z` of step 17 of a run with seed 0.
    """
    text = "\0".join(map(str, (seed, *parts))).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1
