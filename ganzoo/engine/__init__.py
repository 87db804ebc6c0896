"""The engine: one generator that trains every Spec.

    for step in train(spec, data, steps=5000):
        if step.number % 100 == 0:
            print(step.number, step.losses())

The caller logs, saves and decides when to stop; `ganzoo.runs` is such a caller.
"""

from ganzoo.engine.loop import Step, prepare, rounds, train

__all__ = ["Step", "prepare", "rounds", "train"]
