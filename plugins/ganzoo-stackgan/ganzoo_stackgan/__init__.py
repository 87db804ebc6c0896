"""StackGAN, pictures from sentences; and data sets of pictures with captions."""

from ganzoo import hookimpl
from ganzoo_stackgan import emoji, fashion
from ganzoo_stackgan.stackgan import StackGAN


@hookimpl
def ganzoo_variants():
    return [StackGAN]


@hookimpl
def ganzoo_data():
    return [fashion.CAPTIONS, fashion.COLOURED, emoji.CAPTIONS]
