"""The names of the files in a run folder; no other module spells them out."""

import pathlib

CONFIG = "config.json"  # everything that decides the result, and the run's own choices
ENVIRONMENT = "env.json"  # versions, device, precision, parameters
CLASSES = "classes.json"
CLASS_IDS = "class_labels.txt"  # class ids of a contest
SPLIT = "split.csv"
CORRECTIONS = "corrections.csv"  # beside the photographs: people's decisions on single photographs
CORRECTIONS_LOCK = ".corrections.csv.lock"
HISTORY = "history.csv"
CLOCK = "clock.json"  # seconds that the run has taken, over all sessions
LOCK = ".lock"
CHECKPOINT = "checkpoint"  # folder
HEAD = "head"  # folder for training the head
SECOND = "second_opinion"  # folder for training the head of the second opinion
MODEL = "model.keras"
EXPORT = "export"  # folder
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
REPAIR_OF = "repair_of.json"  # in a run that kfg repair made: the run it repairs
WEAK = "weak_classes.json"
POSTHOC = "posthoc.json"
CORRECTED = "corrected"  # folder of photographs whose class was corrected in `kfg serve`, with a split.csv
RUNS = pathlib.Path("runs")  # default folder of all runs
RESULTS = "results.jsonl"  # beside the folders of recipes: a line for each finished run
