"""The data sets that torchvision reads, as `ganzoo.data.catalog` declares them. No torch."""

from __future__ import annotations

from typing import Any

_DIGITS = tuple("0123456789")
_CIFAR = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
_CIFAR_100 = (
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle",
    "bottle", "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle",
    "caterpillar", "cattle", "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch",
    "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish", "forest", "fox",
    "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
    "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom",
    "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree",
    "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road",
    "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake",
    "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
    "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle",
    "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
)  # fmt: skip
_STL = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
_KUZUSHIJI = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
_LETTERS = tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt")
_PETS = (
    "Abyssinian", "American Bulldog", "American Pit Bull Terrier", "Basset Hound", "Beagle",
    "Bengal", "Birman", "Bombay", "Boxer", "British Shorthair", "Chihuahua", "Egyptian Mau",
    "English Cocker Spaniel", "English Setter", "German Shorthaired", "Great Pyrenees", "Havanese",
    "Japanese Chin", "Keeshond", "Leonberger", "Maine Coon", "Miniature Pinscher", "Newfoundland",
    "Persian", "Pomeranian", "Pug", "Ragdoll", "Russian Blue", "Saint Bernard", "Samoyed",
    "Scottish Terrier", "Shiba Inu", "Siamese", "Sphynx", "Staffordshire Bull Terrier",
    "Wheaten Terrier", "Yorkshire Terrier",
)  # fmt: skip
_GREY, _COLOUR, _PHOTO = (1, 28, 28), (3, 32, 32), (3, 64, 64)

ROWS: tuple[dict[str, Any], ...] = (
    {
        "name": "cifar10",
        "shape": _COLOUR,
        "summary": "Photographs of ten kinds of things, 32x32 colour.",
        "size": 50_000,
        "licence": "no licence is stated; Alex Krizhevsky, Vinod Nair and Geoffrey Hinton",
        "source": "https://www.cs.toronto.edu/~kriz/cifar.html",
        "names": _CIFAR,
        "hub": "uoft-cs/cifar10",
    },
    {
        "name": "cifar100",
        "shape": _COLOUR,
        "summary": "Photographs of a hundred kinds of things, 32x32 colour.",
        "size": 50_000,
        "licence": "no licence is stated; Alex Krizhevsky, Vinod Nair and Geoffrey Hinton",
        "source": "https://www.cs.toronto.edu/~kriz/cifar.html",
        "names": _CIFAR_100,
        "hub": "uoft-cs/cifar100",
    },
    {
        "name": "svhn",
        "shape": _COLOUR,
        "summary": "House numbers photographed from the street, 32x32 colour.",
        "size": 73_257,
        "licence": "for non-commercial use; Yuval Netzer et al.",
        "source": "http://ufldl.stanford.edu/housenumbers/",
        "names": _DIGITS,
        "hub": "ufldl-stanford/svhn",
        "flips": False,
    },
    {
        "name": "stl10",
        "shape": (3, 96, 96),
        "summary": "Photographs of ten kinds of things, 96x96 colour.",
        "size": 5_000,
        "licence": "no licence is stated; Adam Coates, Honglak Lee and Andrew Y. Ng; from ImageNet",
        "source": "https://cs.stanford.edu/~acoates/stl10/",
        "names": _STL,
    },
    {
        "name": "celeba",
        "shape": _PHOTO,
        "summary": "Faces of celebrities, their middle, 64x64 colour.",
        "size": 162_770,
        "licence": "for non-commercial research; Ziwei Liu et al.",
        "source": "arXiv:1411.7766",
    },
    {
        "name": "kmnist",
        "shape": _GREY,
        "summary": "Cursive Japanese characters, 28x28 grey; in the format of MNIST.",
        "size": 60_000,
        "licence": "CC BY-SA 4.0, ROIS-DS Center for Open Data in the Humanities",
        "source": "arXiv:1812.01718",
        "names": _KUZUSHIJI,
        "flips": False,
    },
    {
        "name": "emnist",
        "shape": _GREY,
        "summary": "Handwritten digits and letters (balanced, 47 classes), 28x28 grey.",
        "size": 112_800,
        "licence": "public domain (NIST); Gregory Cohen et al.",
        "source": "arXiv:1702.05373",
        "names": _LETTERS,
        "flips": False,
    },
    {
        "name": "flowers102",
        "shape": _PHOTO,
        "summary": "Photographs of 102 kinds of flowers, 64x64 colour.",
        "size": 1_020,
        "licence": "no licence is stated; Maria-Elena Nilsback and Andrew Zisserman",
        "source": "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
        "classes": 102,
    },
    {
        "name": "oxford-pets",
        "shape": _PHOTO,
        "summary": "Photographs of 37 breeds of cats and dogs, 64x64 colour.",
        "size": 3_680,
        "licence": "CC BY-SA 4.0; Omkar Parkhi, Andrea Vedaldi, Andrew Zisserman, C. V. Jawahar",
        "source": "https://www.robots.ox.ac.uk/~vgg/data/pets/",
        "names": _PETS,
    },
)
"""What they are, in the size that papers on GANs use."""
