"""How good a stage of a training is on the validation images, and what decides which stage is kept."""

import numpy as np

from kfg.evaluation import baseline, predict


class Judged:
    """A stage of the training: the model's weights, its answers on the validation images and how good they are.

    Stages are compared by their loss. The number of right answers says too little: on cub100 and fruit3, where the
    fine-tuned net is 1.6 and 2.0 points better than the head, 68 images decide wrongly 12 to 15 times in 100 by it, and
    by the loss at most once (tools/kept.py, recipes/folder/kept.jsonl).

    Args:
        aim: a key of AIMS; it says how the values of single images are averaged.
    """

    def __init__(self, name, model, validation, index, *, batch_size: int, aim: str):
        self.name, self.weights = name, model.get_weights()
        answers = predict.predict(
            model, validation.batches(batch_size, shuffle=False), index=index.take(index.where("val"))
        )
        self.answers = answers
        right, average = answers.predicted == answers.labels, AIMS[aim]
        self.judged = baseline.judge(answers)
        self.count, self.errors = len(answers), int(np.sum(~right))
        self.score, self.loss = average(right, answers.labels), average(answers.losses, answers.labels)
        print(
            f"{name[0].upper()}{name[1:]}: {self.count - self.errors} of {self.count} validation images are right; "
            f"{aim} {100 * self.score:.1f}%, loss {self.loss:.3f}."
        )

    def say_if_useless(self) -> None:
        """Print a warning if the stage is no better than answers given without looking at the picture."""
        if self.judged["verdict"] in (baseline.COMMONEST_BETTER, baseline.NO_BETTER):
            print(f"WARNING: {baseline.warning(self.judged, part='validation')}")


def mean_of_classes(values, labels) -> float:
    """Return the mean over classes of each class's mean value; classes without an image do not count.

    Example:
        >>> mean_of_classes(np.array([1, 1, 1, 0]), np.array([0, 0, 0, 2]))
        0.5
    """
    return float(np.mean([np.mean(values[labels == label]) for label in np.unique(labels)]))


AIMS = {"top-1": lambda values, labels: float(np.mean(values)), "macro recall": mean_of_classes}
