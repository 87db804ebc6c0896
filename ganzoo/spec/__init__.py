"""The language of a Spec: what a variant can say. No torch from here."""

import ganzoo.spec.layers as layers
from ganzoo.spec.draws import MINILM, Image, Label, Normal, Text, Uniform, Vector
from ganzoo.spec.layers import *
from ganzoo.spec.losses.loss import Loss
from ganzoo.spec.network import Default, Gaussian, He, Network, Xavier
from ganzoo.spec.schedule import SGD, Adam, Decay, RMSprop, Stage, Together, Update
from ganzoo.spec.spec import Spec, Task
from ganzoo.spec.stacks import conv_stack, deconv_stack, halvings
from ganzoo.spec.variant import Fields, Variant
from ganzoo.spec.vocabulary import Function

__all__ = [
    "Adam",
    "Decay",
    "Default",
    "Fields",
    "Function",
    "Gaussian",
    "He",
    "Image",
    "Label",
    "Loss",
    "MINILM",
    "Network",
    "Normal",
    "RMSprop",
    "SGD",
    "Spec",
    "Stage",
    "Task",
    "Text",
    "Together",
    "Uniform",
    "Update",
    "Variant",
    "Vector",
    "Xavier",
    "conv_stack",
    "deconv_stack",
    "halvings",
]
__all__ += layers.__all__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
