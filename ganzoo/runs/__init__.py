"""Runs: what a training leaves behind, so that it can be seen, resumed and used.

    run.json                what is trained, on what, from which seed
    checkpoint.safetensors  the last good state; `ganzoo train --resume FOLDER` goes on from it
    log.jsonl               the data read and left out; then now and then step, seconds, losses
    progress/0000500.png    the same latents, as training goes on
    snapshots/0000500/      the model as it was then, where the run keeps them
    best/0000500/           the best model so far, where it measures a figure
    trackers/               what trackers keep
    metrics.json            speed and last losses
    losses.png, samples.png, animation.gif
    last/                   the model of the last round, where another one is the best
    model/                  the trained model, for `from_pretrained`
    .lock                   whose process trains here

At any moment a folder is one of (`state`):

    begun      run.json is there: `--resume` trains from the first round
    resumable  a checkpoint, too: `--resume` goes on from it, and ends with the same bits
    done       model/ is there, and is that of the run.json; it is written last, at once

settings.py   what a run is                   folder.py     its state, its owner, its start
training.py   how it is carried out           recorder.py, records.py, frames.py   what it leaves
held_out.py   what it does not train on       trained.py    its model, done or not
samples.py    what is drawn of a model        course.py     its figures over time
selection.py  a figure on the way, the best   transfer.py   what it begins with
doctor.py     what its log shows              looks.py      what the doctor looks at
tracking.py   who else is told                run_file.py   a run as a file
"""

from ganzoo.layout import RUN
from ganzoo.runs.course import course, examine
from ganzoo.runs.doctor import EVIDENCE, Finding
from ganzoo.runs.folder import check_place, check_vacant, extended, start, state, tidy, writing
from ganzoo.runs.held_out import HELD_OUT, MOST_HELD_OUT, fit_thresholds, hold_out
from ganzoo.runs.recorder import save_model
from ganzoo.runs.records import append, log
from ganzoo.runs.samples import SHEET, samples, shown
from ganzoo.runs.settings import CHECKPOINT, LOG, MODEL, Settings
from ganzoo.runs.trained import trained
from ganzoo.runs.training import carry_out

__all__ = [
    "CHECKPOINT", "EVIDENCE", "HELD_OUT", "LOG", "MODEL", "MOST_HELD_OUT", "RUN", "SHEET",
    "Finding", "Settings", "append", "carry_out", "check_place", "check_vacant", "course",
    "examine", "extended", "fit_thresholds", "hold_out", "log", "samples", "save_model", "shown",
    "start", "state", "tidy", "trained", "writing",
]  # fmt: skip
