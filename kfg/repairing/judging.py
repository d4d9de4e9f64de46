"""From features of photographs to a diagnosis of their classes, step by step, as far as time allows."""

from collections.abc import Callable, Sequence

from kfg.data.fingerprints import Fingerprint
from kfg.data.index import Index
from kfg.progress import duration
from kfg.repairing import causes, decided, looks, needs, weakness
from kfg.repairing.crossed import crossed
from kfg.repairing.decided import Decided
from kfg.repairing.findings import Diagnosis
from kfg.repairing.looking import Eyes
from kfg.repairing.manner import Manner
from kfg.training.out_of_fold import TooLong


def of_features(
    index: Index,
    features,
    manner: Manner,
    pictures: Callable[[], object],
    *,
    mirrored=None,
    prints: Sequence[Fingerprint] | None = None,
    left_out: Sequence[tuple[str, str]] = (),
    target: float | None = None,
    eyes: Eyes | None = None,
    known: Decided = decided.NOTHING,
    left: Callable[[], float],
) -> Diagnosis:
    """Find out which classes are weak, and why. Steps that there is no time for are left out, and the result says so.

    Args:
        index: N photographs, groups filled in.
        features: float32 (N, F), of a frozen trunk.
        manner: how the run learns and answers.
        pictures: function () -> store of the photographs, uint8 (N, H, W, 3). It is called after heads have answered,
            so that nothing is decoded if there is no time even for them.
        mirrored: float32 (N, F), features of the mirror images, if the manner averages over them.
        prints, left_out, target, eyes: as in `Diagnosis` and its evidence. Without eyes, what more photographs would
            bring is not measured.
        known: what a person has decided about labels.
        left: function () -> seconds that are left.
    Raises:
        InputError: fewer than two groups of photographs.
        TooLong: answering each photograph once takes longer than is left.
    """
    answered = crossed(index, features, manner, mirrored=mirrored, left=left())
    recalls, said = weakness.recalls(answered, target=target), [answered.said] if answered.said else []
    weak, curve = tuple(one.label for one in recalls if one.weak), None
    if weak and eyes is not None:
        try:
            curve = needs.measured(index, features, manner, cache_dir=eyes.cache_dir, left=left())
        except TooLong as error:
            said.append(
                f"For lack of time, kfg did not measure what more photographs would bring; it would take about "
                f"{duration(error.expected * needs.SEEDS)}."
            )
    seen = looks.of_store(pictures(), left=left())
    if seen is None:
        said.append("For lack of time, photographs were not checked for being blurred, dark or washed out.")
    evidence = causes.Evidence(answered, prints, seen, curve, weak, known)
    return Diagnosis(evidence, recalls, causes.of_all(evidence), left_out, target, eyes, manner, tuple(said))
