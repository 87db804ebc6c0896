"""What the zoo publishes: of each model the command that trains it, and what its card says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Published:
    """One model of the zoo: the command that trains it, and what its card says of it."""

    name: str
    target: str
    data: str
    summary: str
    limits: str
    options: str = ""
    dtype: Literal["float16", "float32"] = "float16"
    needs: str = ""
    """What it takes where two processor cores are too few."""

    @property
    def command(self) -> str:
        options = f" {self.options}" if self.options else ""
        train = f"ganzoo train {self.target} --data {self.data}{options}"
        return f"{train} --seed 0 --out runs/zoo/{self.name}"


CHANCE = ", at random"


def digits(unclear: str, choice: str = CHANCE, more: str = "") -> str:
    """The limits of a model that draws digits; `unclear` was counted on its sheet."""
    text = (
        f"It draws handwritten digits of 28x28 pixels and nothing else{choice}; {unclear}, as on "
        "the sheet above. It is for learning and teaching, not for forging handwriting or for "
        "adding to the training data of a system that matters."
    )
    return f"{text} {more}".rstrip()


TOLD = ", the one that it is told"


def garments(unclear: str, choice: str = CHANCE) -> str:
    """As `digits`, of a model that draws clothes."""
    return (
        f"It draws clothes as 28x28 grey thumbnails and nothing else{choice}; {unclear}, as on the "
        "sheet above, and prints and fine cuts are beyond it. It is for learning and teaching."
    )


EXTRACTOR_ONLY = (
    "It is made to measure generated images of this one kind. Any image gets one of ten classes, "
    "sense or nonsense, and its features know nothing of what such images do not have."
)

STRANGERS = (
    "It knows {} and nothing else; the only anomaly that it was tested on is {}. Any other picture "
    "gets a score, too, and most likely a high one. By design one normal picture in twenty is "
    "called strange; {} It is for learning and teaching: five nearest neighbours on pixels find "
    "more, by the table above. Train one on pictures of your own for anything that matters."
)

TOONHEAD = (
    " It is for learning and teaching. It learnt from ToonHead by Johan Melin (CC BY 4.0, "
    "changed): credit him, too."
)
PORTRAITS = f"It draws cartoon portraits of 64x64 pixels and nothing else.{TOONHEAD}"

CLASSIFIER = "scripts/classifier.yaml"

ZOO = (
    Published(
        "classifier-mnist",
        CLASSIFIER,
        "mnist",
        "No GAN: the small classifier whose features and verdicts stand behind every figure "
        "for digits in this zoo.",
        EXTRACTOR_ONLY,
        "--steps 5000",
    ),
    Published(
        "classifier-fashion-mnist",
        CLASSIFIER,
        "fashion-mnist",
        "No GAN: the small classifier whose features and verdicts stand behind every figure "
        "for clothes in this zoo.",
        EXTRACTOR_ONLY,
        "--steps 3500",
    ),
    Published(
        "classifier-mnist-outlines",
        "scripts/classifier-outlines.yaml",
        "mnist-outlines",
        "No GAN: the small classifier that tells digits from outlines, and which they are; the "
        "feature extractor for translations between them.",
        EXTRACTOR_ONLY.replace("of ten", "of twenty"),
        "--steps 4000",
    ),
    Published(
        "classifier-emoji",
        "scripts/classifier-emoji.yaml",
        "emoji",
        "No GAN: the small classifier that tells who drew an emoji, Noto or Twemoji; the feature "
        "extractor for translations between them.",
        "It answers one question: which of two houses drew an emoji of 64x64 pixels on "
        "white. Any image gets one of the two answers.",
        "--steps 1500",
    ),
    Published(
        "classifier-captions",
        "scripts/classifier-captions.yaml",
        "fashion-colours",
        "No GAN: the small classifier of clothes in colour, which tells the garment, its colour "
        "and the background; the feature extractor for pictures drawn from captions.",
        "It is made to measure generated images of this one kind, 32x32 pixels. Any image gets one "
        "of ten garments and two of twelve colours, sense or nonsense.",
    ),
    Published(
        "matcher-emoji",
        "scripts/matcher.yaml",
        "emoji-captions",
        "No GAN: two small nets that find out which caption goes with which emoji; the feature "
        "extractor for emoji drawn from captions.",
        "It is made to measure emoji of 64x64 pixels and their captions in English. Of other "
        "pictures and sentences it knows nothing, and says something all the same.",
    ),
    Published(
        "classifier-avatars",
        "scripts/classifier-avatars.yaml",
        "avatars",
        "No GAN: the small classifier of portraits, which tells eleven attributes; the feature "
        "extractor for portraits of every kind.",
        "It is made to measure portraits of this one style, 64x64 pixels, composited or generated. "
        "Any image gets a value of each attribute, sense or nonsense.",
        "--steps 1200",
    ),
    Published(
        "classifier-avatars-32",
        "scripts/classifier-avatars-32.yaml",
        "avatars-32",
        "No GAN: as classifier-avatars, for portraits of 32x32 pixels.",
        "It is made to measure portraits of this one style, 32x32 pixels, composited or generated. "
        "Any image gets a value of each attribute, sense or nonsense.",
        "--steps 1500",
    ),
    Published(
        "gan-mnist",
        "gan",
        "mnist",
        "The GAN of the first paper, fully connected, drawing handwritten digits.",
        digits(
            "about one in six is no clear digit, some are speckled, and fives are rarer than in "
            "the data"
        ),
    ),
    Published(
        "gan-fashion-mnist",
        "gan",
        "fashion-mnist",
        "The GAN of the first paper, fully connected, drawing clothes; what others are "
        "compared with.",
        garments("all are speckled, and about one in six is no garment"),
    ),
    Published(
        "cgan-mnist",
        "cgan",
        "mnist",
        "The conditional GAN, fully connected: say which digit, and it draws one.",
        digits("about one in ten is unclear, and some are speckled", TOLD),
        "--steps 20000",
    ),
    Published(
        "dcgan-mnist",
        "dcgan",
        "mnist",
        "A deep convolutional GAN that draws handwritten digits.",
        digits("about one in six is no clear digit"),
        "--set width=32 --steps 25000",
    ),
    Published(
        "dcgan-fashion-mnist",
        "dcgan",
        "fashion-mnist",
        "A deep convolutional GAN that draws clothes.",
        garments("about one in ten is no garment"),
        "--set width=32 --steps 10000",
    ),
    Published(
        "cdcgan-mnist",
        "cdcgan",
        "mnist",
        "The conditional DCGAN: say which digit, and it draws a clean one.",
        digits(
            "nearly all are clear, and their styles vary less than people's",
            TOLD,
            "A nearest-neighbour classifier that learns from its samples alone errs on 3.9 % of "
            "the test images, where 3.5 % was aimed at, and 3.3 % where it learns from people's "
            "digits; after half of the training it was 4.3 %, and with twice the channels and "
            "30,000 rounds 3.6 %.",
        ),
        "--set width=32 --set hidden=256 --steps 16000",
    ),
    Published(
        "dcgan-avatars",
        "dcgan",
        "avatars",
        "A deep convolutional GAN that draws portraits of 64x64 pixels in colour.",
        "It draws cartoon portraits of 64x64 pixels and nothing else, at random. Outlines are "
        "crisp, and most could pass for training drawings at a glance; about four in ten have one "
        "eye half shut, a smudge over the mouth, clothes of two mixed colours or hair that merges "
        "into them, and backgrounds are faintly textured where the drawings' are flat. Faces vary "
        "less than the data's: of 54 attribute values 30 are more than 20 % off their share; "
        "seven in ten mouths laugh, where one in four does in the data, and long wavy hair, long "
        "beards and blue clothes are hardly drawn." + TOONHEAD,
        "--set width=48 --steps 14000",
    ),
    Published(
        "cdcgan-avatars",
        "cdcgan",
        "avatars-32",
        "The conditional DCGAN: say which colour of hair, and it draws a portrait.",
        "It draws cartoon portraits of 32x32 pixels, with the hair in the colour that it is told, "
        "and nothing else. Nearly all are heads with hair and clothes; flat colours are speckled, "
        "which anyone sees and the classifier does not; one face in five is smeared, closed eyes "
        "are rare, four in five have a beard where half of the data have, and clothes are "
        "mottled. Trained for 8,000 rounds, the same networks went from portraits to noise after "
        "5,500." + TOONHEAD,
        "--set width=48 --batch 64 --steps 3000",
    ),
    Published(
        "r3gan-avatars",
        "r3gan",
        "avatars",
        "R3GAN, a modern baseline, drawing portraits of 64x64 pixels in colour.",
        "It draws cartoon portraits of 64x64 pixels and nothing else, at random. Outlines are "
        "clean and faces vary, but of 64 about twenty could pass for training drawings: in some "
        "twenty-six the hair is in two colours, in as many the mouth, beard or face is smeared, "
        "and eight to fourteen have a patch of another colour on the ground. By the classifier's "
        "features it misses nine tenths of the data's variety (recall 0.09), by those of "
        "EfficientNet-Lite0, which tells six in seven of its portraits from drawings, six tenths. "
        "Every attribute value is drawn, 14 of 54 more than 20 % off their share: nearly half of "
        "the mouths are closed, where a quarter is in the data; gasping ones, relaxed brows, full "
        "beards and, most of all, green clothes are too few. It was trained in seven minutes of "
        "an H200, beside three other trainings." + TOONHEAD,
        "--set width=128 --set shares=1,1,1,0.75,0.5 --set blocks=1 --set gamma=20 "
        "--set lr=0.001 --steps 9500",
        needs="one GPU for some eight minutes: 45 ms a round on an H200, beside three other "
        "trainings",
    ),
    Published(
        "r3gan-avatars-32",
        "r3gan",
        "avatars-32",
        "R3GAN, a modern baseline, drawing portraits of 32x32 pixels in colour.",
        "It draws cartoon portraits of 32x32 pixels and nothing else, at random. Most could pass "
        "for training drawings made small, and faces, hair and clothes vary as theirs do; of 64, "
        "about ten have a beard or clothes of two mixed colours, six a cloudy ground, and a few "
        "smeared features. White grounds and a single raised brow are never or hardly drawn; of 54 "
        "attribute values 21 are more than 20 % off their share. EfficientNet-Lite0 still tells "
        "nine in ten from drawings. It was trained in 92 minutes on a share of one processor core."
        + TOONHEAD,
        "--set width=96 --set shares=1,1,0.75,0.5 --set blocks=1 --set gamma=10 --set lr=0.001 "
        "--batch 32 --steps 10000 --snapshots",
    ),
    Published(
        "stylegan2-avatars-32",
        "stylegan2",
        "avatars-32",
        "StyleGAN2 with mixing, noise and path length, drawing portraits of 32x32 pixels.",
        "It draws cartoon portraits of 32x32 pixels and nothing else, at random. Grounds are flat "
        "and clean, and most could pass for training drawings made small; of 64, about a dozen "
        "have no clear eyes or mouth, most of them dark-skinned, and some have collars or clothes "
        "of two mixed colours. Three mouths in four are closed, where one is in the data; "
        "laughing ones, bared teeth and neck-length hair are hardly drawn, and of 54 attribute "
        "values 29 are more than 20 % off their share. With psi=0.7 they are cleaner, and more "
        "alike. It was trained on one processor core in 67 minutes, beside other trainings."
        + TOONHEAD,
        "--set width=48 --set latent=64 --set gamma=0.2 --batch 16 --steps 26000 --snapshots",
    ),
    Published(
        "stylegan2-avatars",
        "stylegan2",
        "avatars",
        "StyleGAN2 with mixing, noise and path length, drawing portraits of 64x64 pixels.",
        PORTRAITS,
        "--set width=128 --set gamma=1 --batch 32 --steps 30000",
        needs="one GPU for some eight minutes: 15 ms a round on an H200. With gamma by the "
        "authors' rule, 0.026, it had collapsed to one head by round 6,000; gamma is higher here "
        "for that reason, and this has not been tried",
    ),
    Published(
        "biggan-avatars",
        "biggan",
        "avatars",
        "BigGAN: say which colour of hair, and it draws a portrait of 64x64 pixels.",
        "It draws cartoon portraits of 64x64 pixels, with the hair in the colour that it is told, "
        "and nothing else. At the size of a thumbnail most could pass for training drawings; "
        "enlarged, all are out of focus, with a faint grid, and nearly half have a stained "
        "ground, a smeared beard or collar, or white clothes that dissolve. EfficientNet-Lite0 "
        "tells all of them from drawings. Some values are never drawn: lavender grounds, blue and "
        "purple clothes; mouths laugh in two of three, where one in four does in the data, and of "
        "54 attribute values 32 are more than 20 % off their share. It was trained for four "
        "minutes on an H200, beside other trainings." + TOONHEAD,
        "--set width=256 --set discriminator_width=256 --batch 64 --steps 4000",
    ),
    Published(
        "cdcgan-fashion-mnist",
        "cdcgan",
        "fashion-mnist",
        "The conditional DCGAN: say which garment, and it draws one.",
        garments("nearly all are what was asked for", TOLD),
        "--set width=32 --set hidden=256 --steps 8000",
    ),
    Published(
        "wgan-mnist",
        "wgan",
        "mnist",
        "The Wasserstein GAN with clipped weights, drawing handwritten digits; its critic is "
        "published, too.",
        digits(
            "about half are no clear digits",
            more="A Fréchet distance of 6 was aimed at. Clipping at 0.01 keeps the critic nearly "
            "linear: three times the rounds took the distance from 18.9 to 14.0, and the same "
            "networks with a gradient penalty reach 1.2 (wgan-gp-mnist).",
        ),
        "--steps 15000",
        "float32",  # half precision rounds the weights at the clip up
    ),
    Published(
        "wgan-gp-mnist",
        "wgan-gp",
        "mnist",
        "The Wasserstein GAN with a gradient penalty, drawing handwritten digits; its critic "
        "is published, too.",
        digits("about one in six is no clear digit"),
        "--set width=64 --set lr=0.0002 --set lr_generator=0.0001 --set decay_start=0.5 "
        "--steps 16000",
    ),
    Published(
        "bigan-mnist",
        "bigan",
        "mnist",
        "The bidirectional GAN, convolutional: it draws digits, and finds the code of a digit it "
        "is shown.",
        digits(
            "about one in five is no clear digit",
            more="The nearest neighbour of a code is of the same digit for 96.3 % of the test "
            "images, by pixels for 96.9 %. One digit in seven comes back from reconstruction as "
            "another, where one in ten was aimed at. The discriminator is penalized for its "
            "gradients, which BiGAN's authors do not do; without, 94.9 % and one in five.",
        ),
        "--set filters=32 --set width=512 --set start=0.02 --set gamma=2 --set lr=0.0003 "
        "--set dropout=0 --steps 12000",
    ),
    Published(
        "ali-mnist",
        "ali",
        "mnist",
        "Adversarially learned inference: it draws digits, and tells which codes a digit may "
        "have come from.",
        digits(
            "about one in five is no clear digit",
            more="One digit in eight comes back from reconstruction as another, and images come "
            "back less alike than by a model whose discriminator had no penalties (a ratio of 0.59 "
            "in place of 0.54). Its codes are spread nearly as those that it draws from: a "
            "variance of 0.88, where 1 would be right and that model had 0.68. One sampled code "
            "tells less than the mean of all.",
        ),
        "--set gamma=2 --set lr=0.0003 --set dropout=0 --steps 12000",
    ),
    Published(
        "wbigan-mnist",
        "wbigan",
        "mnist",
        "The Wasserstein BiGAN: it draws digits and encodes them, taught by a critic with a "
        "gradient penalty.",
        digits(
            "about one in five is no clear digit",
            more="As an encoder it is poor: a quarter of the digits come back as others, where one "
            "in ten was aimed at, and the nearest neighbour of a code is of the same digit for "
            "79.5 % of the test images, by the layer before for 90.7 %, where an untrained encoder "
            "has 91.6 % and 95.8 % (95 % was aimed at; "
            "after 3,200 rounds with width 32, when half of the pictures were no digits, it was "
            "94.8 %). The critic takes one step in each round, in place of five. It was "
            "trained in seven minutes of an H200, beside three other trainings.",
        ),
        "--set critic_steps=1 --set width=48 --steps 40000",
    ),
    Published(
        "ganomaly-mnist",
        "ganomaly",
        "mnist,without=2",
        "GANomaly, taught with all digits but the 2: it says how strange a digit is, where, and "
        "whether that is too strange.",
        STRANGERS.format(
            "handwritten digits",
            "the 2",
            "of the 8 it is one in eight, and 65 % of the 2s are found.",
        ),
        "--steps 1500",
    ),
    Published(
        "ganomaly-fashion-mnist",
        "ganomaly",
        "fashion-mnist,without=8",
        "GANomaly, taught with clothes and shoes and no bag: it says how strange a picture is, "
        "where, and whether that is too strange.",
        STRANGERS.format(
            "clothes as 28x28 grey thumbnails",
            "the bag",
            "of sandals it is one in five, and 48 % of the bags are found.",
        ),
        "--steps 1500",
    ),
    Published(
        "discogan-mnist-outlines",
        "discogan",
        "mnist-outlines",
        "DiscoGAN between digits and their outlines: filled to hollow and back, learnt from halves "
        "that share no digit.",
        "It fills outlines of handwritten digits of 28x28 pixels, and draws them; about a third of "
        "the outlines are smudged or broken in places, and white grounds have grey specks. What it "
        "makes of other pictures means nothing. It is for learning and teaching.",
        "--set start=0.5 --set steps=3000",
    ),
    Published(
        "cyclegan-avatars",
        "cyclegan",
        "avatars-hair-32",
        "CycleGAN between portraits with black and with blond hair, learnt from different people.",
        "It changes the colour of hair and beard of cartoon portraits of 32x32 pixels, and draws "
        "nothing else. The cut, length, clothes, eyes, skin and ground stay; to blond, a beard is "
        "lost or added in a quarter, and the mouth and the brows change in two of five. Grey and "
        "black clothes get specks, and flat colours a grain: by features of EfficientNet-Lite0, "
        "which read texture, blond portraits are a little farther from their partners than the "
        "black-haired were. The cycle weighs four times what the authors give it; with theirs, and "
        "5,000 rounds, 82 to 84 % of all that should stay stayed, where 88 % does now. "
        "What it makes of other pictures means nothing." + TOONHEAD,
        "--set width=24 --set blocks=3 --set cycle=40 --batch 4 --steps 8000",
    ),
    Published(
        "stackgan-fashion",
        "stackgan",
        "fashion-captions",
        "StackGAN for clothes: say which garment, in which colour, against which background, and "
        "it draws one; combinations, too, that it has never seen.",
        "It draws ten garments in twelve colours before twelve others, as thumbnails of 32x32 "
        "pixels. Any sentence gives a picture, and of one that speaks of something else it makes "
        "the nearest that it knows. Of what a hundred sentences in other words than captions say, "
        "the classifier sees 60 %. In combinations that it has not seen the garment is right in "
        "93 % by the classifier, which finds it in 89 % of the test images: the model was taught "
        "to draw what can be told, and draws few of the doubtful ones that people wear. Cloth is "
        "flat, edges have stray pixels, most sneakers are patches without an outline, some "
        "dresses lack a top, and samples of one "
        "sentence differ in shape, less than real ones do, and in nothing else. While its "
        "settings were sought, three short trials and one finished model, which drew one picture "
        "for each sentence, were measured on the captions of the test split. It is for learning "
        "and teaching.",
        "--set linear=true --set classify=1 --set diversity=0.1 --set kl=0.1 --set lr=0.0005 "
        "--set steps_small=12000 --set steps_large=6000",
    ),
    Published(
        "stackgan-avatars",
        "stackgan",
        "avatars-captions",
        "StackGAN for portraits: say hair, clothes, beard, mouth, background, and it draws one of "
        "64x64 pixels; combinations, too, that it has never seen.",
        "It draws cartoon portraits of 64x64 pixels and nothing else; any sentence gives one. Of "
        "combinations that it has not seen, all that a caption names is right in 73 % of the "
        "samples by the classifier; the aim was 90 % for each attribute: how the hair is worn is "
        "right in nearly all, clothes, eyes, mouth and skin in 96 to 97 %, the colour of the "
        "clothes and length in 92 to 93 %, the colour of the hair and the beard in 85 %, and the "
        "background in 73 %. Of sentences outside of the captions, 84 % of what they name is "
        "right. What a sentence leaves open is drawn by chance, about as often as in the data. "
        "Flat colours have a grain, some grounds are washes of two colours, and dark faces are "
        "often unclear: EfficientNet-Lite0 tells nearly all of them from drawings. It was trained "
        "in 82 minutes on a share of one processor core." + TOONHEAD,
        "--set linear=true --set classify=1 --set vary=true --set diversity=0.1 --set kl=0.1 "
        "--set lr=0.0003 --set batch=64 --set steps_small=7500 --set steps_large=4500",
    ),
)
