"""What the comparison of arms says besides its figures: whether the nets have learned, and how the figures are made."""

from kfg.reporting.markup import Safe, tag


def chance(comparison: dict) -> list[str]:
    """Say which arms' nets have learned nothing, so that a difference between them means nothing; [] for none.

    Args:
        comparison: of `paired_recall`; those of earlier versions do not know.
    Example:
        >>> chance({"runs": 3, "beaten": {"none": 2, "targeted": 3}})
        ['1 of the 3 nets of arm none is no better than naming one class for every image.']
    """
    runs, beaten = comparison["runs"], comparison.get("beaten", {})
    idle = [name for name, count in beaten.items() if not count]
    if idle and len(idle) == len(beaten):
        return [
            f"None of the {runs * len(beaten)} nets is better than naming one class for every image. The differences "
            "between the arms mean nothing: which class such a net happens to name decides them. Train for longer, at "
            "another learning rate or on more images, before comparing arms."
        ]
    nets, no = ("The net", "no ") if runs == 1 else (f"None of the {runs} nets", "")
    said = [
        f"{nets} of arm {name} is {no}better than naming one class for every image: a difference from it shows that it "
        "has not learned to tell the classes apart, not what the extra images bring."
        for name in idle
    ]
    some = {name: runs - count for name, count in beaten.items() if 0 < count < runs}
    said += [
        f"{count} of the {runs} nets of arm {name} {'is' if count == 1 else 'are'} no better than naming one class for "
        "every image."
        for name, count in some.items()
    ]
    return said


def method(comparison: dict) -> Safe:
    """Return how the figures are made, as a list."""
    groups, folds = comparison.get("clusters"), comparison.get("folds", 1)
    drawn = "Images" if groups is None else f"The {groups:,} groups of near-duplicates among the images"
    again = (
        "All runs share one split, so it says whether other seeds would show it, and nothing about another split."
        if folds == 1
        else f"The {comparison['runs']} runs train on parts of the same images, so its variance is multiplied, as "
        f"Nadeau and Bengio (2003) have it, for {folds} folds. It says whether other splits and seeds would show it."
    )
    lines = [
        "Recall is pooled over images: of all answers a group of classes got in all runs, the share that is right. "
        "Which classes are targeted is decided run by run, on validation images.",
        f"Over images: bootstrap with {comparison['resamples']:,} resamples, seed {comparison['seed']}. {drawn} are "
        "drawn, and bring their answers from every run and arm along: one image under several seeds is not several "
        "independent images, nor are near-duplicates. It says whether other test images would show the same for these "
        "trained models.",
        f"Over runs: Student t on one difference per run. {again}",
        "A gain to believe is clear of zero in both.",
        f"Where the targeted classes were chosen by answers of {comparison['control']} itself, that arm is low on "
        "them by selection, and any new training gains there. What the choice of classes brings is the difference "
        "between targeted and uniform.",
    ]
    return tag("ul", *(tag("li", line) for line in lines), class_="note")
