"""Train the best trial in full. This is the only part of a search that uses test images."""

import importlib
import pathlib

from kfg.engine import photographs, runner
from kfg.engine.job import Job
from kfg.engine.options import replaced, tuples
from kfg.files import read_json
from kfg.search import table


def finish(plan, folder: pathlib.Path, cache_dir: pathlib.Path, *, runs: int) -> None:
    """Run the recipe with the best trial's settings, once for each seed from the plan's seed on.

    Runs that are finished are not repeated. The run folders are `folder`/RECIPE/SPACE-searched/seed-N, with report and
    export; their rows are in results.jsonl.

    Args:
        plan: Definition.
        folder: folder of the search, which has ended.
        cache_dir: folder of decoded images and features.
        runs: int >= 1, number of seeds.
    """
    recipe = importlib.import_module(plan.space.module).RECIPE
    best = read_json(folder / table.BEST_FILE, dict)
    note = f"settings of trial {best['trial']} of a search, in which {best['objective'][0]} was {best['score']:.4f}"
    photographs.be_deterministic()
    data = photographs.Data(index=plan.index, name=plan.data_name, cache_dir=cache_dir)
    config = replaced(plan.config, tuples(best["settings"]))
    results = []
    for seed in range(plan.seed, plan.seed + runs):
        job = Job(
            recipe=plan.recipe,
            row=f"{plan.space_name}-searched",
            config=config,
            seed=seed,
            data=data,
            out=folder,
            resume=True,
            note=note,
            max_params=plan.max_params,
            precision=plan.precision,
        )
        results.append(runner.run_one(recipe, job))
    runner.tell_spread(results)
