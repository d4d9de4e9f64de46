"""Say which test photographs are left out of a comparison of two runs, and why."""

from kfg.names import counted, printable, shortened


def remarks(answers, common, paths, digests) -> list[str]:
    """Return sentences on what is not compared, and why; [] if everything is.

    Args:
        answers: Predictions of both runs on all their test photographs.
        common: paths of those that are compared.
        paths: both run folders.
        digests: path -> SHA-256 of a photograph, for both runs, as far as they are known.
    """
    if all(len(one) == len(common) for one in answers):
        return []
    told = [f"{len(one):,} of {printable(str(path))}" for one, path in zip(answers, paths, strict=True)]
    return [
        f"Of the test photographs ({' and '.join(told)}), {len(common):,} are the same and have the same class. Only "
        "these are compared, so figures may differ from those in the runs' reports.",
        *_left_out(*answers, *digests),
    ]


def _left_out(one, other, digests, digests_other) -> list[str]:
    """Return a sentence for each reason for which test photographs are not compared."""
    first, second = (
        {path: each.classes[label] for path, label in zip(each.paths, each.labels.tolist(), strict=True)}
        for each in (one, other)
    )
    both = [path for path in first if path in second]
    relabelled = [f"{path} from {first[path]} to {second[path]}" for path in both if first[path] != second[path]]
    changed = [
        path
        for path in both
        if first[path] == second[path]
        and path in digests
        and path in digests_other
        and digests[path] != digests_other[path]
    ]
    reasons = (
        ("that the second run has in another class", relabelled),
        ("whose file changed between the two runs", changed),
        ("that only the first run has tested", [path for path in first if path not in second]),
        ("that only the second run has tested", [path for path in second if path not in first]),
    )
    return [
        f"Left out: {counted(len(those), 'photograph')} {why} ({printable(shortened(those, count=3))})."
        for why, those in reasons
        if those
    ]
