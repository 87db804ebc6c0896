"""The former name of tests.builders; goes when no branch uses it."""

from tests.builders import SIDE, critic, gan, generator, training

__all__ = ["SIDE", "critic", "gan", "generator", "training"]
