"""The part of a run's report page about its training: what was trained, for how long, and which loss is which."""

import numpy as np

from kfg.figures import curves
from kfg.progress import duration
from kfg.reporting import markup
from kfg.reporting.markup import Safe, tag

ASKED = (
    "What the run was given. Numbers of epochs in it are the most there may be: training may stop sooner, or leave a "
    "stage out. What was trained is said under Training."
)
LOSSES = (
    "Training loss in the picture: what the training makes small, as the mean over an epoch while the weights change. "
    "It holds everything that was set: label smoothing, weights of classes, the adjustment to rare classes, penalties "
    "on weights; and dropout is on.",
    "Validation loss in the picture: the same sum on the validation images, with the weights at the end of the epoch "
    "and dropout off.",
    "Loss under Result: cross-entropy alone, of the finished model on the test images. Only this one can be compared "
    "with that of another run. The losses of validation images that a run prints at its end are of this kind, too.",
)


def section(run, result: dict, pictures: dict[str, bytes]) -> Safe:
    """Say what history.csv lists, and show it.

    Args:
        run: kfg.reporting.run.Run.
        result: of metrics.evaluate, with `figures`.
        pictures: PNG bytes by name.
    """
    if run.history is None:
        return markup.paragraph("history.csv is not in this folder, so there are no learning curves.", note=True)
    cuts = len(curves.rate_cuts(run.history))
    marked = "A dotted line marks where the learning rate was cut." if cuts == 1 else ""
    marked = f"{cuts} dotted lines mark where the learning rate was cut." if cuts > 1 else marked
    told = [_trained(run), _time(run, result), marked]
    return markup.joined(
        [
            markup.paragraph(" ".join(filter(None, told))),
            markup.picture(pictures["learning_curves"], "Loss, accuracy and learning rate over the epochs"),
            markup.paragraph("Three losses appear here, and they are not the same quantity:", note=True),
            tag("ul", *(tag("li", line) for line in LOSSES), class_="note"),
        ]
    )


def _trained(run) -> str:
    """Say how many epochs of what there were; a run of two stages has chosen how many of each."""
    count = len(next(iter(run.history.values())))
    epochs = f"{count} epoch" if count == 1 else f"{count} epochs"
    choices = (run.config or {}).get("choices", {})
    whole, head = choices.get("whole net", {}), choices.get("head", {})
    if "epochs" not in whole:
        return f"{epochs}."
    if whole["epochs"]:
        return f"{epochs} of the whole net, after {head.get('epochs', 'some')} of the head alone."
    why = f": {whole['why']}" if whole.get("why") else ""
    return f"{epochs} of the head alone. The whole net was not trained{why}."


def _time(run, result) -> str:
    """Say how long the epochs took, and that they are not all of the time."""
    seconds = run.history.get("seconds")
    if seconds is None or np.isnan(seconds).all():
        return ""
    total, each = _short(np.nansum(seconds)), _short(np.nanmedian(seconds))
    text = f"It took {total}." if len(seconds) == 1 else f"They took {total}, {each} each (median)."
    trained = result.get("figures", {}).get("seconds_to_trained") or {}
    if trained.get("value") is not None:
        return f"{text} From its start to the end of the training the run took {_short(trained['value'])}."
    return f"{text} Reading images, computing features and writing this report are not in that time."


def _short(seconds) -> str:
    """Return a length of time in words, with enough digits to be no zero.

    Example:
        >>> _short(0.034), _short(5.21), _short(96)
        ('0.034 s', '5.2 s', '1.6 min')
    """
    return f"{seconds:.2g} s" if seconds < 9.95 else duration(seconds)
