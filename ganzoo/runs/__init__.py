"""Runs: the folder that a training writes, so that it can be watched, resumed and used.

    run.json                what is trained, on what, from which seed
    checkpoint.safetensors  the last good state; `ganzoo train --resume FOLDER` continues from it
    batches.safetensors     the data that its model needs before it is done, if these are few
    log.jsonl               the data that was read or skipped; then lines of step, seconds, losses
    progress/0000500.png    samples of the same latents, or translations, during training
    snapshots/0000500/      the model at that round, if the run keeps snapshots
    best/0000500/           the best model so far, if the run measures a figure
    trackers/               files of trackers
    metrics.json            speed and last losses
    losses.png, samples.png, animation.gif
    last/                   the model of the last round, if another one is the best
    model/                  the trained model, for `from_pretrained`
    .lock                   held by the process that trains here

At any moment a folder is in one of these states (`state`):

    begun      run.json exists: `--resume` trains from the first round
    resumable  so does a checkpoint: `--resume` continues from it, and ends with the same bits
    done       model/ exists, and is that of run.json; it is written last, atomically

settings.py   what a run is                   folder.py     its state, its owner, its start
training.py   how it is carried out           recorder.py, records.py, frames.py   what it writes
held_out.py   data it does not train on       trained.py    its model, finished or not
samples.py    samples to look at              course.py     its figures over time
selection.py  a figure during training        transfer.py   initial weights from another model
doctor.py, about.py   findings in its log      looks.py      measurements for the doctor
tracking.py   trackers                        run_file.py   a run as a file
translations.py   pictures of a run that translates
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
