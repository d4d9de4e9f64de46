"""The report's section on how far the model's probabilities can be trusted, and when its answers are in doubt."""

import math

from kfg.figures import drawing, reliability_figure
from kfg.reporting import markup
from kfg.reporting.markup import percent, tag

TITLE = "How sure the model may be"
PICTURE = "reliability"
NOTICED = 0.05  # of the logarithm of a temperature: a smaller one moves 75 % by one point at most


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
                markup.paragraph("From inside this run folder:"),
                markup.code("kfg predict . photo.jpg --precision-of-answers 95% --sets 90%"),
            ]
        ),
    )


DIAGRAM = (
    "Reliability diagram: the test images are sorted into 15 bins by the probability of the most likely class. Each "
    "mark shows the share of right answers in a bin with its 95 % interval; larger marks stand for more images. On the "
    "dashed line the probability equals the share of right answers."
)


def _calibration(content):
    found, held = content["temperature_found_on"], content["found_on"]
    apart = f"The thresholds for unsure answers and for sets were found on {held['images']:,} images: {held['kind']}."
    return markup.paragraph(
        f"The probabilities are calibrated with a temperature of {content['temperature']:.2f}, which is part of the "
        f"model and of the export. It {_effect(content['temperature'])} and does not change the most likely class. It "
        f"was found on {found['images']:,} images: {found['kind']}." + ("" if held == found else f" {apart}")
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
    headers = ["", "expected calibration error", "95 % interval"]
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
    right = f"; {_interval(test['right'])} of the other answers are right" if test["right"]["value"] is not None else ""
    return [
        f"Unsure: answers with a probability below {unsure['threshold']:.2f}, so that at least "
        f"{unsure['precision']:.0%} of the others are right. Unsure are {_interval(unsure['unanswered'])} of the "
        f"images on which the threshold was found, and {_interval(test['unanswered'])} of the test images{right}."
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
        f" {percent(test['empty'])} of the sets are empty, because the model is right more often than "
        f"{sets['coverage']:.0%} and fuller sets would cover more than was asked for; ask for a higher share."
        if test["empty"]
        else ""
    )
    return [
        f"Prediction sets for {sets['coverage']:.0%}: all classes with a probability of at least "
        f"{sets['threshold']:.3g}. They hold the true class of {_interval(test['covered'])} of the test images, and "
        f"{test['classes']:.2f} classes on average.{empty}"
    ]


def _interval(share) -> str:
    return f"{percent(share['value'])} ({100 * share['low']:.1f} to {percent(share['high'])})"
