"""The language of a Spec: what a variant can say. No torch from here."""

from ganzoo.spec.draws import Image, Label, Normal, Text, Uniform, Vector
from ganzoo.spec.layers import *
from ganzoo.spec.network import Default, Gaussian, He, Network, Xavier
from ganzoo.spec.schedule import SGD, Adam, Decay, RMSprop, Stage, Together, Update
from ganzoo.spec.spec import Spec, Task
from ganzoo.spec.variant import Fields, Variant
from ganzoo.spec.vocabulary import Function
