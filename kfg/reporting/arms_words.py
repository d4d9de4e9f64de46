"""Sentences for the comparison of arms: whether the nets have learned anything, and how the figures are computed."""

from kfg.reporting.markup import Safe, tag


def chance(comparison: dict) -> list[str]:
    """Say which arms' nets have learned nothing, so that differences between them mean nothing; [] if all have learned.

    Args:
        comparison: the result of `paired_recall`; results of earlier versions lack this information.
    Example:
        >>> chance({"runs": 3, "beaten": {"none": 2, "targeted": 3}})
        ['1 of the 3 networks of arm none is no better than naming one class for every image.']
    """
    runs, beaten = comparison["runs"], comparison.get("beaten", {})
    idle = [name for name, count in beaten.items() if not count]
    if idle and len(idle) == len(beaten):
        return [
            f"None of the {runs * len(beaten)} networks is better than naming one class for every image. The "
            "differences between the arms mean nothing, as they only depend on which class such a network happens to "
            "name. Train for longer, with another learning rate or on more images before comparing arms."
        ]
    nets, no = ("The network", "no ") if runs == 1 else (f"None of the {runs} networks", "")
    said = [
        f"{nets} of arm {name} is {no}better than naming one class for every image. A difference from this arm only "
        "shows that it has not learned to tell the classes apart, not what the extra images bring."
        for name in idle
    ]
    some = {name: runs - count for name, count in beaten.items() if 0 < count < runs}
    said += [
        f"{count} of the {runs} networks of arm {name} {'is' if count == 1 else 'are'} no better than naming one class "
        "for every image."
        for name, count in some.items()
    ]
    return said


def method(comparison: dict) -> Safe:
    """Return a list that explains how the figures are computed."""
    groups, folds = comparison.get("clusters"), comparison.get("folds", 1)
    drawn = "Images" if groups is None else f"The {groups:,} groups of near-duplicates among the images"
    again = (
        "All runs share one split, so this interval says whether other seeds would show the same, and nothing about "
        "other splits."
        if folds == 1
        else f"The {comparison['runs']} runs train on parts of the same images, so the variance is increased for "
        f"{folds} folds as in Nadeau and Bengio (2003). This interval says whether other splits and seeds would "
        "show the same."
    )
    lines = [
        "Recall is pooled over images: it is the share of right answers among all answers on a group of classes in all "
        "runs. Which classes are targeted is decided in each run, on validation images.",
        f"Intervals over images: bootstrap with {comparison['resamples']:,} resamples, seed {comparison['seed']}. "
        f"{drawn} are resampled together with their answers from every run and arm, because one image under several "
        "seeds does not count as several independent images, nor do near-duplicates. These intervals say whether other "
        "test images would show the same for these trained models. Where fewer than ten of them are answered otherwise "
        "by one arm than by the other, the interval of the difference reaches at least as far as the exact one of the "
        "share of gains among these (Clopper and Pearson).",
        f"Intervals over runs: Student t on one difference per run. {again}",
        "Trust a gain only if both intervals exclude zero.",
        f"Where the targeted classes were chosen by the answers of {comparison['control']} itself, that arm is low on "
        "them by selection, and any new training gains there. The difference between targeted and uniform shows what "
        "the choice of classes brings.",
    ]
    return tag("ul", *(tag("li", line) for line in lines), class_="note")
