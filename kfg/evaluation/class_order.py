"""Order the classes of a confusion matrix: those with most mistakes first, or classes that are confused together.

No TensorFlow here. C is the number of classes.
"""

import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

APART = 0.95  # two groups stay separate if, on average, fewer than 1 - APART of their images are confused


def by_mistakes(confusion) -> np.ndarray:
    """Return class numbers, int64 (C,), sorted by mistakes, most first; ties by number.

    A mistake counts for the class of the image and for the class that was predicted.

    Example:
        >>> by_mistakes([[9, 1, 0], [0, 5, 0], [3, 0, 7]])
        array([0, 2, 1])
    """
    confusion = np.asarray(confusion)
    mistakes = confusion.sum(axis=0) + confusion.sum(axis=1) - 2 * confusion.diagonal()
    return np.argsort(-mistakes, kind="stable")


def by_likeness(confusion) -> tuple[np.ndarray, list[list[int]]]:
    """Return an order in which classes that are confused with each other are neighbours, and groups of such classes.

    The classes are clustered by average linkage, on the share of two classes' images that were taken for the other
    class of the two; the leaves are ordered so that neighbours are as similar as possible.

    Args:
        confusion: int (C, C), images; row = true class, column = predicted.
    Returns:
        int64 (C,), class numbers in order; and the groups, lists of two or more class numbers in the same order.
    Source:
        Bar-Joseph, Gifford & Jaakkola 2001, Bioinformatics 17:S22, for the order of the leaves.
    Example:
        >>> order, groups = by_likeness([[6, 0, 4], [0, 9, 0], [3, 0, 7]])
        >>> sorted(order.tolist()), [sorted(group) for group in groups]
        ([0, 1, 2], [[0, 2]])
    """
    confusion = np.asarray(confusion, dtype=np.float64)
    if len(confusion) < 3:
        mixed = len(confusion) == 2 and confusion[0, 1] + confusion[1, 0] > 0
        return np.arange(len(confusion)), [[0, 1]] if mixed else []
    images = confusion.sum(axis=1)
    asked = np.add.outer(images, images)
    mixed = np.divide(confusion + confusion.T, asked, out=np.zeros_like(asked), where=asked > 0)
    distance = 1 - mixed
    np.fill_diagonal(distance, 0)
    near = squareform(distance, checks=False)
    tree = hierarchy.optimal_leaf_ordering(hierarchy.linkage(near, "average"), near)
    order = hierarchy.leaves_list(tree).astype(np.int64)
    group = hierarchy.fcluster(tree, APART, "distance")
    members = [[int(c) for c in order if group[c] == one] for one in dict.fromkeys(group[order])]
    return order, [one for one in members if len(one) > 1]
