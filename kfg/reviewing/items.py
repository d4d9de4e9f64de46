"""The photographs in the queue, and what speaks against each."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Suspicion:
    """Something that speaks against a photograph or its label.

    Args:
        kind: "label", "duplicate", "outlier", "quality", "broken", or "asked", if a photograph is here only because
            the user asked for all photographs of its class.
        score: float in [0, 1], how strong the suspicion is.
        said: half a sentence, which is also written into corrections.csv.
        other: the class that the photograph looks like, or None.
        beside: path of a second photograph that is involved, or None.
    """

    kind: str
    score: float
    said: str
    other: str | None = None
    beside: str | None = None


@dataclasses.dataclass(frozen=True)
class Item:
    """A photograph of the queue.

    Args:
        path: path of the photograph.
        name: the class by which it was judged.
        suspicions: the suspicions, the strongest first.
        sha256: hex digest of its bytes.
    """

    path: str
    name: str
    suspicions: tuple[Suspicion, ...]
    sha256: str

    @property
    def score(self) -> float:
        return self.suspicions[0].score

    @property
    def other(self) -> str | None:
        """The class that the photograph looks like; None if no suspicion names one."""
        return next((one.other for one in self.suspicions if one.other is not None), None)

    @property
    def beside(self) -> str | None:
        return next((one.beside for one in self.suspicions if one.beside is not None), None)

    @property
    def reason(self) -> str:
        return "; ".join(one.said for one in self.suspicions)
