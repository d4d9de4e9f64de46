"""Does it help to keep the aspect ratio of photographs, by cropping or padding them to a square, instead of squashing?

    python tools/aspect.py DIR --cache DIR [--backbone efficientnet-lite0] [--seeds 3] [--out FILE]

Heads on features of the pretrained trunk answer every photograph of the folder out of fold, in several divisions into
folds; so each figure is of all photographs and not only of a test part. Each row of the results file compares one way
with squashing, which is what kfg does, on the same photographs and divisions. The middle of a photograph is what is
kept by cropping; padding repeats its border. `--table FILE` prints the table of a results file.
"""

import numpy as np
from remedies import add, at_most, command_line, divided, processor, read
from tried import RESULTS, pictures

from kfg.engine import provenance
from kfg.evaluation import versus
from kfg.evaluation.predict import Predictions
from kfg.recipes.folder_settings import Config
from kfg.repairing.crossed import crossed
from kfg.repairing.manner import Manner
from kfg.repairing.trunks import Trunk
from kfg.training import features, imbalance

OWN, OTHERS = "squashed", ("cropped", "padded")


def answers(index, aspect: str, trunk: Trunk, cache, seeds: int) -> Predictions:
    """Return the answers to all photographs of an index by heads that have not seen them, averaged over divisions."""
    rows = features.cached(trunk.built(), pictures(index, trunk.image_size[0], aspect), cache_dir=cache)
    manner = Manner.of(imbalance.chosen(imbalance.AUTO, index.counts())["treatment"], index.counts())
    found = np.mean([crossed(index, np.array(rows), manner, seed=seed).answers for seed in range(seeds)], axis=0)
    return Predictions(tuple(index.paths), index.labels, found.astype(np.float32), tuple(index.classes))


def compared(index, first: Predictions, second: Predictions) -> dict:
    """Return top-1 and macro recall of both, in percent, and the differences with their 95% intervals, in points."""
    made = versus.compare(first, second, alike=dict(zip(index.paths, index.groups.tolist(), strict=True)))
    row = {"photographs": len(first), "lost": len(made["lost"]), "gained": len(made["gained"]), "p": made["p"]}
    for name in ("top1", "macro_recall"):
        row[name] = {part: _percent(figure) for part, figure in made[name].items()}
    return row


def _percent(figure: dict) -> dict:
    return {name: None if value is None else round(100 * value, 2) for name, value in figure.items()}


def table(rows) -> str:
    """Return the table of a results file."""
    lines = [
        "| data | trunk | photographs | way | squashed | this way | difference | macro recall, difference | p |",
        "|---" * 9 + "|",
    ]
    for row in rows:
        shares = [f"{row['top1'][name]['value']:.1f}" for name in ("first", "second")]
        changes = [_difference(row[name]["difference"]) for name in ("top1", "macro_recall")]
        about = [row["data"], row["trunk"], f"{row['photographs']:,}", row["aspect"]]
        cells = [*about, *shares, *changes, f"{row['p']:.2g}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _difference(figure) -> str:
    return f"{figure['value']:+.1f} [{figure['low']:+.1f}, {figure['high']:+.1f}]"


def main() -> int:
    parser = command_line(__doc__, RESULTS.with_name("aspect.jsonl"))
    parser.add_argument("--backbone", default=Config().backbone)
    parser.add_argument("--seeds", type=int, default=3, help="divisions into folds, two each (default: 3)")
    args = read(parser, table)
    if args is None:
        return 0
    trunk = Trunk(args.backbone, Config().image_size, Config().weights)
    index = at_most(divided(args.data, Config()), args.per_class)
    found = {aspect: answers(index, aspect, trunk, args.cache, args.seeds) for aspect in (OWN, *OTHERS)}
    for aspect in OTHERS:
        row = {"data": args.data.name, "trunk": trunk.backbone, "aspect": aspect, "divisions": 2 * args.seeds}
        row |= compared(index, found[OWN], found[aspect])
        add(args.out, row | {"processor": processor(), "commit": provenance.commit()})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
