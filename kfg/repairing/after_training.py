"""What a training says at its end about its classes: which are weak, why, and what to do next."""

import numpy as np

from kfg.data import stores
from kfg.engine.fitting import trunk_of
from kfg.names import printable, quoted
from kfg.repairing import causes, findings, looks, weakness
from kfg.repairing.crossed import crossed
from kfg.repairing.findings import Diagnosis
from kfg.repairing.next_steps import next_steps
from kfg.reporting import markup
from kfg.reporting.markup import Safe, tag
from kfg.training import features

TITLE = "What to do next"


def diagnosed(job, index, images, loss) -> Diagnosis | None:
    """Judge the classes of a training on the features that its head has learned from; shortcuts are left to the audit.

    None where that is not possible: all photographs are near-duplicates of each other.

    Args:
        job: compiled, its head trained, its trunk's features of all `images` cached.
        index: divided.
        images: store of all images of `index`.
        loss: of heads, without smoothing.
    """
    asked = np.concatenate([index.where("train"), index.where("val")])
    if len(set(index.groups[asked].tolist())) < 2:
        return None
    of_trunk = features.cached(trunk_of(job.model), images, cache_dir=job.data.cache_dir)[asked]
    found = crossed(index.take(asked), of_trunk, loss=loss)
    evidence = causes.Evidence(found, None, looks.of_store(stores.chosen(images, asked)))
    of_class = causes.of_all(evidence)
    return Diagnosis(found, weakness.recalls(found), of_class, [], None, None, loss)


def section(found: Diagnosis, run) -> tuple[str, Safe]:
    """Return the title and the body of a report's section, with a command to paste.

    Args:
        run: the run folder.
    """
    index = found.crossed.index
    weak = [f"{printable(index.classes[label])} ({found.recalls[label].value:.0%})" for label in found.weak]
    command = f"kfg repair {quoted(run)}"
    parts = [
        markup.paragraph(
            f"Weak, of {len(index):,} training and validation photographs, each answered by a classifier that had not "
            f"seen it: {', '.join(weak)}."
            if weak
            else "No class is weak: each is recognised as often as the mean, as far as its photographs can tell."
        )
    ]
    if weak:
        parts += [markup.paragraph("This says why, tries what may help, and trains anew:"), markup.code(command)]
    steps = next_steps(found, suspects=f"{findings.SUSPECTS}, which this command writes,")
    if len(found.crossed.suspects()) and not weak:
        parts += [markup.paragraph("This lists the photographs whose label is contradicted:"), markup.code(command)]
    return TITLE, markup.joined([*parts, tag("ul", *(tag("li", step) for step in steps)) if steps else Safe("")])
