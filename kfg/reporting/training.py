"""The section of a run's report page on its training: what was trained, for how long, and what each loss means."""

import numpy as np

from kfg.figures import curves
from kfg.names import printable
from kfg.progress import duration
from kfg.reporting import markup
from kfg.reporting.markup import Safe, tag
from kfg.runs import choices as made

ASKED = (
    "These are the settings that the run was given. The numbers of epochs are upper limits: training may stop earlier "
    "or skip a stage. The section Training says what was trained. A setting that has no value is not listed."
)
LOSSES = (
    "Training loss in the picture: the quantity that training minimises, averaged over an epoch while the weights "
    "change. It includes everything that was set, such as label smoothing, class weights, the adjustment to rare "
    "classes and weight penalties. Dropout is on.",
    "Validation loss in the picture: the same quantity on the validation images, with the weights at the end of the "
    "epoch and dropout off.",
    "Loss under Result: only the cross-entropy, of the finished model on the test images. This is the only one that "
    "can be compared with another run. The validation losses that a run prints at its end are also of this kind.",
)


def section(run, result: dict, pictures: dict[str, bytes]) -> Safe:
    """Return a description of history.csv, with the learning curves.

    Args:
        run: kfg.reporting.run.Run.
        result: the result of metrics.evaluate, with `figures`.
        pictures: name -> PNG bytes.
    """
    if run.history is None:
        return markup.paragraph(f"There are no learning curves, because {_why_no_curves(run)}.", note=True)
    cuts = len(curves.rate_cuts(run.history))
    marked = "A dotted line marks where the learning rate was cut." if cuts == 1 else ""
    marked = f"{cuts} dotted lines mark where the learning rate was cut." if cuts > 1 else marked
    told = [_trained(run), _time(run, result), marked]
    return markup.joined(
        [
            markup.paragraph(" ".join(filter(None, told))),
            markup.picture(pictures["learning_curves"], "Loss, accuracy and learning rate over the epochs"),
            markup.paragraph("The report shows three different losses:", note=True),
            tag("ul", *(tag("li", line) for line in LOSSES), class_="note"),
        ]
    )


def _why_no_curves(run) -> str:
    config = (run.config or {}).get("config")
    if isinstance(config, dict) and config.get("net_of"):
        return f"this run took over the network of {printable(config['net_of'])} and changed only its answers"
    return "history.csv is not in this folder"


def _trained(run) -> str:
    """Say how many epochs were trained, and of what: a run with two stages chooses the epochs of each."""
    count = len(next(iter(run.history.values())))
    epochs = f"{count} epoch" if count == 1 else f"{count} epochs"
    choices = (run.config or {}).get("choices", {})
    tuning, head = made.tuning(choices), choices.get("head", {})
    if "epochs" not in tuning:
        return f"{epochs}."
    if tuning["epochs"]:
        told = f"{epochs} of fine-tuning, after {head.get('epochs', 'some')} of the head alone."
        if tuning.get("after"):
            told += (
                " Only the network's last stage learned, on stored outputs of the stage before it, for lack of time."
            )
        if choices.get("end", {}).get("kept", "").startswith("the head"):
            return (
                f"{told} The fine-tuned network was not better on the validation images, so the head alone was kept, "
                "on the unchanged pretrained trunk. The curves show the training of the network that was not kept."
            )
        return told
    why = f" (number of epochs: {tuning['why']})" if tuning.get("why") else ""
    return f"{epochs} of the head alone. The network was not fine-tuned{why}."


def _time(run, result) -> str:
    """Say how long the epochs took, and that the run took longer than that."""
    seconds = run.history.get("seconds")
    if seconds is None or np.isnan(seconds).all():
        return ""
    total, each = _short(np.nansum(seconds)), _short(np.nanmedian(seconds))
    text = f"It took {total}." if len(seconds) == 1 else f"The epochs took {total} in all, {each} each (median)."
    trained = result.get("figures", {}).get("seconds_to_trained") or {}
    if trained.get("value") is not None:
        return f"{text} From the start of the run to the end of the training it took {_short(trained['value'])}."
    return f"{text} This does not include reading images, computing features and writing this report."


def _short(seconds) -> str:
    """Return a length of time as text, with enough digits that it is not zero.

    Example:
        >>> _short(0.034), _short(5.21), _short(96)
        ('0.034 s', '5.2 s', '1.6 min')
    """
    return f"{seconds:.2g} s" if seconds < 9.95 else duration(seconds)
