"""What the files of a run folder are called: here and nowhere else."""

CONFIG = "config.json"  # everything that decides the result, and what the run chose for itself
ENVIRONMENT = "env.json"  # versions, device, precision, parameters
CLASSES = "classes.json"
CLASS_IDS = "class_labels.txt"  # of a contest
SPLIT = "split.csv"
HISTORY = "history.csv"
CLOCK = "clock.json"  # the time it took, over all sessions
LOCK = ".lock"
CHECKPOINT = "checkpoint"  # folder
HEAD = "head"  # folder of the head's own training
MODEL = "model.keras"
EXPORT = "export"  # folder
EXPORT_CHECK = "export_check.json"  # written last: a run that has it and its report is finished
PREDICTIONS = "predictions.csv"  # on the test images
VAL_PREDICTIONS = "val_predictions.csv"
REPORT = "report.json"  # written after everything that a report is about
PAGE = "report.html"
WEAK = "weak_classes.json"
POSTHOC = "posthoc.json"
RUNS = "runs"  # folder of all runs, unless another is given
RESULTS = "results.jsonl"  # beside the recipes' folders: a line for each finished run
