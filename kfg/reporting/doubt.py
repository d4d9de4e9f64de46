"""The report's section on how far the model's probabilities can be trusted, and when its answers are in doubt."""

import math

from kfg.figures import drawing, reliability_figure
from kfg.names import percent
from kfg.reporting import markup
from kfg.reporting.markup import tag

TITLE = "How sure the model may be"
PICTURE = "reliability"
NOTICED = 0.05  # of the logarithm of a temperature: a smaller one moves 75% by one point at most


def section(content: dict, reliability, workdir) -> tuple:
    """Draw reliability.png into a run folder; return the title and body of the section.

    Args:
        content: content of confidence.json.
        reliability: bins before and after calibration, see `kfg.evaluation.calibration.reliability`.
        workdir: the run folder.
    """
    path = workdir / f"{PICTURE}.png"
    drawing.save(reliability_figure.draw(*reliability), path)
    return TITLE, (
        markup.joined([_calibration(content), _errors(content["calibration"])]),
        path.read_bytes(),
        markup.joined(
            [
                markup.paragraph(DIAGRAM, note=True),
                tag("ul", *(tag("li", line) for line in lines(content))),
                markup.paragraph("Run this inside the run folder, the one that holds this page:"),
                markup.code("kfg predict . photo.jpg --precision-of-answers 95% --sets 90%"),
            ]
        ),
    )


DIAGRAM = (
    "Reliability diagram: the test images are sorted into 15 bins by the probability of the most likely class. Each "
    "mark shows the share of right answers in a bin with its 95% interval; larger marks stand for more images. On the "
    "dashed line the probability equals the share of right answers."
)


def _calibration(content):
    found, held = content["temperature_found_on"], content["found_on"]
    apart = f"The thresholds for unsure answers and for sets were found on {held['images']:,} images: {held['kind']}."
    return markup.paragraph(
        "A model's own probabilities are often too high or too low. They are corrected with one number, the "
        "temperature, so that of the answers with a probability of 80% about 80 in 100 are right. Here it is "
        f"{content['temperature']:.2f}. It is part of the model and of the export, {_effect(content['temperature'])} "
        f"and does not change the most likely class. It was found on {found['images']:,} images: {found['kind']}."
        + ("" if held == found else f" {apart}")
    )


def _effect(temperature: float) -> str:
    if abs(math.log(temperature)) < NOTICED:
        return "hardly changes how certain the model is"
    return f"makes the model {'more' if temperature < 1 else 'less'} certain"


def _errors(calibration):
    rows = []
    for when in ("before", "after"):
        error = calibration[when]
        rows.append([f"{when} calibration", f"{error['value']:.3f}", f"{error['low']:.3f} to {error['high']:.3f}"])
    headers = ["", "expected calibration error", "95% interval"]
    told = (
        "The calibration error is the average difference between the probability and the share of right answers, here "
        f"on the {calibration['test_images']:,} test images."
    )
    return markup.joined([markup.paragraph(told), markup.table(headers, rows)])


def lines(content: dict) -> list[str]:
    """Return a line on each verdict that an answer may get, and one on prediction sets.

    Args:
        content: content of confidence.json.
    """
    return [*_unsure(content), *_none(content["none_of_these"]), *_sets(content["sets"])]


def _unsure(content) -> list[str]:
    unsure, test = content["unsure"], content["unsure"]["test"]
    if unsure["threshold"] is None:
        images = content["found_on"]["images"]
        return [
            f"Unsure: every answer. On {images:,} images, no threshold on the probability makes "
            f"{unsure['precision']:.0%} of the remaining answers right."
        ]
    right = ""
    if test["right"]["value"] is not None:
        right = f" Of the other answers on test images, {_interval(test['right'])} are right."
    return [
        f"Unsure: answers with a probability below {unsure['threshold']:.2f}, so that at least "
        f"{unsure['precision']:.0%} of the others are right. The model is unsure about "
        f"{_interval(test['unanswered'])} of the test images, and was so about {_interval(unsure['unanswered'])} of "
        f"the images on which this limit was found.{right}"
    ]


def _none(found) -> list[str]:
    if found["threshold"] is None:
        return [f"None of these: this answer is never given, because {found['why']}."]
    return [
        "None of these: photographs whose features are too far from those of the training photographs. The threshold "
        f"was set on {found['images']:,} validation images to give false alarms for {found['false_alarms']:.0%}. On "
        f"the test images it gives them for {_interval(found['test']['false_alarms'])}. An object that belongs to none "
        "of the classes but looks like one of them is not noticed."
    ]


def _sets(sets) -> list[str]:
    test = sets["test"]
    empty = (
        f" For {percent(test['empty'])} of them the set is empty, as no class reaches that probability. This happens "
        f"where a model is right more often than the {sets['coverage']:.0%} that were asked for; ask for a higher "
        "share, and fewer sets are empty."
        if test["empty"]
        else ""
    )
    return [
        f"Prediction sets for {sets['coverage']:.0%}: instead of one class, an answer lists all classes with a "
        f"probability of at least {sets['threshold']:.3g}, so that the true class is among them for about "
        f"{sets['coverage']:.0%} of the photographs. On the test images it is among them for "
        f"{_interval(test['covered'])}, and a set has {test['classes']:.2f} classes on average.{empty}"
    ]


def _interval(share) -> str:
    return f"{percent(share['value'])} ({100 * share['low']:.1f} to {percent(share['high'])})"
