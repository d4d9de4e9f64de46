"""The names of files and folders in a run folder and beside it, and the place of a run in the folder of runs.

Other modules use these constants. A file that concerns only one part of the package, such as a picture of the report,
is named there.
"""

import pathlib

CONFIG = "config.json"  # everything that decides the result, and the run's own choices
ENVIRONMENT = "env.json"  # versions, device, precision, parameters
CLASSES = "classes.json"
CLASS_IDS = "class_labels.txt"  # class ids of a contest
SPLIT = "split.csv"
CORRECTIONS = "corrections.csv"  # beside the photographs: people's decisions on single photographs
CORRECTIONS_LOCK = ".corrections.csv.lock"
HISTORY = "history.csv"
CLOCK = "clock.json"  # seconds of the training, over all sessions, and of test, report and export
LOCK = ".lock"
CHECKPOINT = "checkpoint"  # folder
HEAD = "head"  # folder for training the head
SECOND = "second_opinion"  # folder for training the head of the second opinion
MODEL = "model.keras"
EXPORT = "export"  # folder
SAVED_MODEL = "saved_model.pb"  # in an export: the graph; TensorFlow names it
DIGESTS = "digests.json"  # in an export: path -> SHA-256, as TensorFlow does not notice a flipped bit in a graph
EXPORT_CHECK = "export_check.json"  # written last: a run with this file and its report is finished
ENGINES = "engines"  # folder for other engines than TensorFlow: converted models and timings
MODEL_JSON = "model.json"  # beside an export: classes, image size, preprocessing, confidence
CONFIDENCE = "confidence.json"  # temperature, thresholds, and the fingerprint of the model that they belong to
BANK = "strangeness.npz"  # features of training photographs, against which strangeness is measured
PREDICTIONS = "predictions.csv"  # on the test images
VAL_PREDICTIONS = "val_predictions.csv"
CARD = "model_card.md"
REPORT = "report.json"  # written after all files that the report describes
PAGE = "report.html"
REPAIR = "repair"  # folder for the findings of kfg repair
REPAIR_OF = "repair_of.json"  # in a run that kfg repair made: the run it repairs
WEAK = "weak_classes.json"
POSTHOC = "posthoc.json"
CORRECTED = "corrected"  # folder of photographs whose class was corrected in `kfg serve`, with a split.csv
RUNS = pathlib.Path("runs")  # default folder of all runs
CACHE = "cache"  # beside the folders of recipes: folder for decoded photographs and features
RESULTS = "results.jsonl"  # beside the folders of recipes: a line for each finished run
TRAIN_RECIPE, TRAIN_ROW = "folder", "transfer"  # recipe and row of the runs of `kfg train`
ANY_RUN = "*/*/seed-*"  # pattern of the run folders in a folder of runs, see `run_folder`


def run_folder(out, recipe: str, row: str, seed: int, *, fold: int | None = None, folds: int = 1) -> pathlib.Path:
    """Return the folder of a run in the folder of runs `out`.

    Args:
        fold, folds: number of the fold that is the test set, and how many folds there are; None and 1 for a single
            split.

    Example:
        >>> run_folder("runs/birds", TRAIN_RECIPE, TRAIN_ROW, 0).as_posix()
        'runs/birds/folder/transfer/seed-0'
        >>> run_folder("runs", "fruit3", "cnn", 2, fold=1, folds=5).as_posix()
        'runs/fruit3/cnn/seed-2-fold-1-of-5'
    """
    part = "" if fold is None else f"-fold-{fold}-of-{folds}"
    return pathlib.Path(out) / recipe / row / f"seed-{seed}{part}"


def out_of(run) -> pathlib.Path | None:
    """Return the folder of runs that a run lies in if `run_folder` gave its place; None if no folder is so far above.

    Example:
        >>> out_of("runs/birds/folder/transfer/seed-0").as_posix()
        'runs/birds'
    """
    above = pathlib.Path(run).parents
    return above[2] if len(above) > 2 else None
