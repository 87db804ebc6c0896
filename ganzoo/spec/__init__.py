"""The language of a Spec: what a variant can say. No torch from here."""

import ganzoo.spec.layers as layers
from ganzoo.spec.averages import HalfLife
from ganzoo.spec.draws import (
    MINILM,
    Categorical,
    Image,
    Index,
    Label,
    Normal,
    Text,
    Uniform,
    Vector,
)
from ganzoo.spec.function import Function
from ganzoo.spec.layers import *
from ganzoo.spec.layers.weights import Equalized, Plain, Spectral, WeightNorm
from ganzoo.spec.losses.loss import Loss
from ganzoo.spec.network import Default, Gaussian, He, LeCun, Network, Orthogonal, Xavier
from ganzoo.spec.numbers import Numeric
from ganzoo.spec.optimizers import SGD, Adam, AdamW, Decay, Optimizer, RMSprop, Shared
from ganzoo.spec.schedule import Stage, Together, Update
from ganzoo.spec.spec import Spec
from ganzoo.spec.stacks import conv_stack, deconv_stack, halvings
from ganzoo.spec.state import Pool, Running, State
from ganzoo.spec.tasks import Task
from ganzoo.spec.variant import Fields, Variant

__all__ = [
    "Adam",
    "AdamW",
    "Categorical",
    "Decay",
    "Default",
    "Equalized",
    "Fields",
    "Function",
    "Gaussian",
    "HalfLife",
    "He",
    "Image",
    "Index",
    "Label",
    "LeCun",
    "Loss",
    "MINILM",
    "Network",
    "Normal",
    "Numeric",
    "Optimizer",
    "Orthogonal",
    "Plain",
    "Pool",
    "RMSprop",
    "Running",
    "SGD",
    "Shared",
    "Spec",
    "Spectral",
    "Stage",
    "State",
    "Task",
    "Text",
    "Together",
    "Uniform",
    "Update",
    "Variant",
    "Vector",
    "WeightNorm",
    "Xavier",
    "conv_stack",
    "deconv_stack",
    "halvings",
]
__all__ += layers.__all__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
