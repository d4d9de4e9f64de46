import numpy as np
import pytest

from kfg.evaluation.class_order import by_likeness, by_mistakes


def test_look_alikes_far_apart_in_the_list_come_together():
    matrix = np.diag([20] * 8)
    for one, other in ((0, 7), (7, 3), (2, 5)):
        matrix[one, other] = matrix[other, one] = 6
    order, groups = by_likeness(matrix)
    place = np.argsort(order)
    assert sorted(order) == list(range(8))
    assert abs(place[0] - place[7]) == abs(place[7] - place[3]) == abs(place[2] - place[5]) == 1
    assert sorted(map(sorted, groups)) == [[0, 3, 7], [2, 5]]


@pytest.mark.parametrize(
    "matrix, groups", [([[5]], []), ([[5, 0], [0, 5]], []), ([[5, 1], [0, 5]], [[0, 1]]), (np.diag([3, 0, 3]), [])]
)
def test_few_classes_and_classes_without_images_have_an_order(matrix, groups):
    order, found = by_likeness(matrix)
    assert sorted(order) == list(range(len(matrix))) and found == groups


def test_mistakes_count_in_rows_and_columns():
    assert by_mistakes([[9, 0, 0, 0], [0, 9, 1, 2], [0, 0, 9, 0], [0, 0, 0, 9]]).tolist() == [1, 3, 2, 0]
