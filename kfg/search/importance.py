"""Place the settings of trials on axes, for pictures, and measure which settings mattered."""

import dataclasses
import math

import numpy as np

FEWEST = 10  # completed trials; with fewer, nothing is said about what mattered
TREES, REPEATS = 300, 20


@dataclasses.dataclass(frozen=True)
class Axis:
    """An axis for one setting.

    Args:
        name: name of the setting.
        choices: the possible values in order; empty for a range.
        low, high: ends of a range.
        log: whether the range is drawn, and was searched, on a logarithmic scale.
    """

    name: str
    choices: tuple = ()
    low: float = 0.0
    high: float = 1.0
    log: bool = False

    def at(self, value) -> float:
        """Return the position of a value, 0 to 1; NaN for None, if a trial does not have the setting."""
        if value is None:
            return math.nan
        if self.choices:
            return self.choices.index(value) / max(1, len(self.choices) - 1)
        scale = math.log if self.log else float
        return (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))


def axes(state: dict, found: list[dict]) -> list[Axis]:
    """Return the axes of the settings in which the trials differ.

    Args:
        state: state of a search, from `table.read`.
        found: trials, from `table.rows`.
    """
    result = []
    for one in state["hyperparameters"]["space"]:
        kind, config = one["class_name"], one["config"]
        if kind == "Choice":
            result.append(Axis(config["name"], choices=tuple(config["values"])))
        elif kind in ("Float", "Int"):
            log = config["sampling"] == "log"
            result.append(Axis(config["name"], low=config["min_value"], high=config["max_value"], log=log))
    epochs = sorted({row["values"]["epochs"] for row in found if "epochs" in row["values"]})
    if epochs:  # from Hyperband
        result.append(Axis("epochs", choices=tuple(epochs)))
    return [axis for axis in result if len({row["values"].get(axis.name) for row in found}) > 1]


def importance(found: list[dict], along: list[Axis]) -> tuple[list[tuple[str, float, float]], float] | None:
    """Measure how much the scores depend on each setting, according to a forest of regression trees.

    The measure is permutation importance: by how much the forest's R^2 falls when one setting is shuffled among the
    trials. A forest fits a few trials closely in any case, so its R^2 on trials left out says how far the result can be
    trusted.

    Args:
        found: trials, from `table.rows`.
        along: axes, from `axes`.
    Returns:
        ([(name, mean fall, standard deviation)] by falling mean, R^2 out of bag); None with fewer than FEWEST completed
        trials or fewer than two axes.
    Source: Breiman 2001, "Random forests", section 10.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    completed = [row for row in found if row["status"] == "COMPLETED"]
    if len(completed) < FEWEST or len(along) < 2:
        return None
    x = np.array([[axis.at(row["values"].get(axis.name)) for axis in along] for row in completed])
    x = np.nan_to_num(x, nan=-1.0)
    y = np.array([row["score"] for row in completed])
    forest = RandomForestRegressor(TREES, min_samples_leaf=2, oob_score=True, random_state=0).fit(x, y)
    fall = permutation_importance(forest, x, y, n_repeats=REPEATS, random_state=0)
    order = np.argsort(-fall.importances_mean)
    rows = [(along[i].name, float(fall.importances_mean[i]), float(fall.importances_std[i])) for i in order]
    return rows, float(forest.oob_score_)
