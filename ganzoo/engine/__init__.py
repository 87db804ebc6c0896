"""The engine: one generator that trains every Spec.

for step in train(spec, data, steps=5000):
    if step.number % 100 == 0:
        print(step.number, step.losses())
"""

from ganzoo.engine.train import Step, train

__all__ = ["Step", "train"]
