"""Augmentations: random, differentiable, independent for each sample.

Equal calls in an update are the same augmentation; calls with other images draw anew. Concatenate
images along the channels if they must be augmented alike; each group of three channels (or each
single channel) then gets the same colour change.
"""

from __future__ import annotations

from ganzoo.spec.function import Function, core

AUGMENTATIONS: tuple[Function, ...] = (
    core(
        "diffaugment",
        "images",
        "All three of DiffAugment: colour, translation, cutout.",
        r"T(v)",
        module="augmentations",
        source="arXiv:2006.10738",
        example="D(diffaugment(x))",
        noise={"chance": 7},
    ),
    core(
        "diffaugment_color",
        "images",
        "Brightness +-1/2, saturation times 0 to 2, contrast times 1/2 to 3/2, in this order.",
        r"T(v)",
        module="augmentations",
        source="arXiv:2006.10738",
        example="D(diffaugment_color(x))",
        noise={"chance": 3},
    ),
    core(
        "diffaugment_translation",
        "images",
        "Shift by up to an eighth of the size, filled with zeros.",
        r"T(v)",
        module="augmentations",
        source="arXiv:2006.10738",
        example="D(diffaugment_translation(x))",
        noise={"chance": 2},
    ),
    core(
        "diffaugment_cutout",
        "images",
        "A square of half the side length is set to zero.",
        r"T(v)",
        module="augmentations",
        source="arXiv:2006.10738",
        example="D(diffaugment_cutout(x))",
        noise={"chance": 2},
    ),
    core(
        "ada",
        "images p",
        "The pipeline of StyleGAN2-ADA: blitting, geometry and colour, each step with "
        "probability p.",
        r"T_p(v)",
        module="augmentations",
        source="arXiv:2006.06676",
        example="D(ada(x, 0.2))",
        noise={"chance": 32},
    ),
    core(
        "ada_blit",
        "images p",
        "Flips, quarter turns and whole-pixel shifts of up to an eighth, each with probability p.",
        r"T_p(v)",
        module="augmentations",
        source="arXiv:2006.06676",
        example="D(ada_blit(x, 0.2))",
        noise={"chance": 7},
    ),
    core(
        "ada_geometry",
        "images p",
        "Scaling, rotation, stretching and shifting, each with probability p; bilinear, with "
        "reflected borders.",
        r"T_p(v)",
        module="augmentations",
        source="arXiv:2006.06676",
        example="D(ada_geometry(x, 0.2))",
        noise={"chance": 12},
    ),
    core(
        "ada_color",
        "images p",
        "Brightness, contrast, inverted luma, hue and saturation, each with probability p.",
        r"T_p(v)",
        module="augmentations",
        source="arXiv:2006.06676",
        example="D(ada_color(x, 0.2))",
        noise={"chance": 13},
    ),
    core(
        "ada_cutout",
        "images p",
        "A square of half the side length is set to zero, with probability p.",
        r"T_p(v)",
        module="augmentations",
        source="arXiv:2006.06676",
        example="D(ada_cutout(x, 0.2))",
        noise={"chance": 3},
    ),
)
