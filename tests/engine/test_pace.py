"""What a command of several runs says of the time that it will take."""

import dataclasses

from kfg.engine import runner
from kfg.engine.pace import Pace
from kfg.runs import results_file


@dataclasses.dataclass
class Job:
    seed: int
    done: bool = False
    recipe: str = "fruit3"
    row: str = "cnn"
    fold: int | None = None
    folds: int = 1

    def finished(self):
        return self.done


def test_the_time_left_counts_the_runs_that_are_still_to_be_trained():
    clock = iter([0.0, 5.0, 65.0])  # the first run was finished before, the second one takes a minute
    jobs = [Job(0, done=True), Job(1), Job(2), Job(3, done=True), Job(4, fold=0, folds=3)]
    pace, rest = Pace(clock=lambda: next(clock)), "this and the runs after it may take"
    with pace.measured(trains=False):
        pass
    assert pace.said(2, jobs) == "Run 2 of 5: fruit3 cnn, seed 1"
    with pace.measured(trains=True):
        pass
    assert pace.said(3, jobs) == f"Run 3 of 5: fruit3 cnn, seed 2 ({rest} 2.0 min)"
    assert pace.said(5, jobs) == f"Run 5 of 5: fruit3 cnn, seed 4, fold 1 of 3 ({rest} 1.0 min)"


def test_a_run_of_several_stages_took_as_long_as_all_of_them(tmp_path):
    rows = {
        "transfer": {"seconds": 90.0, "metrics": {"seconds_to_trained": {"value": 600.0}}},
        "net": {"seconds": 70.0, "metrics": {"top1": {"value": 1.0}}},
        "unknown": {"metrics": {}},
    }
    for name, row in rows.items():
        results_file.append(tmp_path / "results.jsonl", {"recipe": "r", "row": name, "data": {}, "config": {}, **row})
    earlier = runner._earlier(tmp_path)
    assert earlier == {("r", "transfer"): 600.0, ("r", "net"): 70.0}
    said = Pace(earlier=earlier).said(1, [Job(0, recipe="r", row="transfer")])
    assert said.endswith("(the last run of this row trained for 10.0 min)")
