"""Decide which folders of a data folder are classes and which are parts, by their names and contents.

Part folders may have any usual name (`training_set`, `seg_test`, `Valid`) and lie above the class folders or inside
each of them. They are read as parts if this is certain: every name means a different part, one of them means train,
and the photographs lie one level deeper. If folders look like parts but this is not certain, the data folder is
refused, because a model that takes train and test for classes is worthless.
"""

import collections
import dataclasses
import pathlib
import re

from kfg.data.tree import Tree
from kfg.names import composed, printable, quoted, shortened
from kfg.runs import run_files

PARTS = ("train", "val", "test")
WORDS = {
    "train": "train", "training": "train", "trn": "train",
    "val": "val", "valid": "val", "validation": "val", "validate": "val", "dev": "val", "development": "val",
    "test": "test", "testing": "test", "tst": "test", "holdout": "test",
}  # fmt: skip
UNLABELLED = ("pred", "predict", "prediction", "unlabeled", "unlabelled", "inference", "submission")
FILLERS = (
    "set", "sets", "data", "dataset", "datasets", "split", "splits", "part", "folder", "dir", "image", "images", "img",
    "imgs", "photo", "photos", "picture", "pictures", "pics", "sample", "samples", "seg", "ds",
)  # fmt: skip
_FILLER = "|".join(sorted(FILLERS, key=len, reverse=True))
_WORD = re.compile(f"(?:{_FILLER})*({'|'.join(sorted((*WORDS, *UNLABELLED), key=len, reverse=True))})(?:{_FILLER})*")
# If there are more folders than this, and they share fewer sub-folder names than there are folders, the folders are
# classes photographed from several sides.
MANY = 10


@dataclasses.dataclass(frozen=True)
class Plan:
    """How to read a data folder.

    Args:
        parts: part -> posix path of the folder with its class folders; empty if there are no part folders above the
            class folders.
        within: whether the folders inside each class folder are its parts.
        beside: folders beside the part folders that are skipped, such as one for images without labels.
        problem: why the folder cannot be read; "" if it can.
    """

    parts: dict[str, str] = dataclasses.field(default_factory=dict)
    within: bool = False
    beside: tuple[str, ...] = ()
    problem: str = ""


def part_of(name: str) -> tuple[str, str]:
    """Return the part that a folder's name means, "" for none, and the other words of the name.

    Example:
        >>> part_of("training_set"), part_of("Valid"), part_of("dogs-TestData"), part_of("trainers")
        (('train', ''), ('val', ''), ('test', 'dogs'), ('', 'trainers'))
    """
    said, rest = [], []
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", composed(name))
    for word in re.findall(r"[^\W\d_]+", words):
        match = _WORD.fullmatch(word.casefold())
        if match:
            said.append(WORDS.get(match[1], match[1]))
        elif word.casefold() not in FILLERS:
            rest.append(word.casefold())
    part = said[0] if len(said) == 1 else ""
    return (part, " ".join(rest)) if part else ("", composed(name).casefold())


_PLAIN = {(part, "") for part in PARTS}
# usual names of sub-folders of a class: dates, numbers, cameras, sessions
_CAPTURE = re.compile(r"[\d\W_]+|(cam|camera|session|day|batch|shot|view|img|images?|raw|set)[ _-]?\d*")


def plan(root, names) -> Plan:
    """Decide how to read a data folder.

    Args:
        root: the folder.
        names: names of the visible folders in it.
    """
    root, names = pathlib.Path(root), list(names)
    tree = Tree(root)
    if "train" in names and set(names) <= set(PARTS):
        return Plan(parts={part: _homes(tree, part) for part in PARTS if part in names})
    filled = [name for name in names if tree.filled(name)]
    said = {name: part_of(name) for name in filled}
    if not filled:
        empty = [name for name in names if part_of(name) in ((part, "") for part in PARTS) and tree.folders(name)]
        text = (
            f"{printable(str(root / empty[0]))}: looks like a part, not like a class, but holds no images"
            if empty
            else ""
        )
        return Plan(problem=text)
    named = _named(filled, said)
    if any(tree.nested(name) for name in named):
        return _named_parts(root, tree, filled, said, named)
    parts = [said[name][0] for name in filled]
    if len(filled) > 1 and "train" in parts and len(set(parts)) == len(parts) and set(said.values()) <= _PLAIN:
        # Parts that hold photographs but no class folders: read as parts, they make `advice` say what to do.
        return Plan(parts={part: name for name, (part, _) in said.items()})
    return _parts_within(root, tree, filled) or Plan(problem=_same_folders(root, tree, filled))


def _homes(tree, path: str) -> str:
    """Return the folder that holds the class folders of a part, such as `train/train` if `train` holds only that."""
    while tree.nested(path) and len(tree.inner(path)) == 1:
        (name,) = tree.inner(path)
        part, _ = part_of(name)
        filler = all(word in FILLERS for word in re.findall(r"[^\W\d_]+", name.casefold()))
        if not (filler or (part and part == part_of(path.rpartition("/")[2])[0])):
            break
        if not tree.nested(f"{path}/{name}"):
            break
        path = f"{path}/{name}"
    return path


def _named(filled, said) -> list[str]:
    """Return the folders that are named like parts.

    Examples are "train", or "dogs train" beside "dogs test"; but not "test tube", which is the name of a class.
    """
    named = [name for name in filled if said[name][0] in PARTS]
    plain = [name for name in named if not said[name][1]]
    if plain or not named:
        return plain
    rest, _ = collections.Counter(said[name][1] for name in named).most_common(1)[0]
    alike = [name for name in named if said[name][1] == rest]
    return alike if len({said[name][0] for name in alike}) > 1 else []


def _named_parts(root, tree, filled, said, named) -> Plan:
    """Return the Plan for a data folder in which some folders are named like parts and hold class folders."""
    by_part = collections.defaultdict(list)
    for name in named:
        by_part[said[name][0]].append(name)
    beside = [name for name in filled if name not in named]
    unclear = [name for name in beside if said[name][0] not in UNLABELLED]
    flat = [name for name in named if not tree.nested(name) and said[name][0] != "test"]
    twice = [some for some in by_part.values() if len(some) > 1]
    trouble = ""
    if "train" not in by_part:
        trouble = "but no folder is named train"
    elif twice:
        trouble = f"but {' and '.join(map(printable, twice[0]))} would be the same part"
    elif flat:
        trouble = f"but {printable(flat[0])} holds photographs outside of class folders"
    elif unclear:
        trouble = f"but it is not clear what {printable(shortened(unclear))} beside it is"
    if not trouble:
        homes = {part: _homes(tree, by_part[part][0]) for part in PARTS if part in by_part}
        return Plan(parts=homes, beside=tuple(beside))
    return Plan(
        problem=(
            f"{printable(str(root / named[0]))}: looks like a part, not like a class, {trouble}; name the part folders "
            f"{', '.join(PARTS)}, with at least train, and keep no other folder with photographs beside them "
            f"(found {printable(shortened(filled))}); if {printable(named[0])} is a class, give it another name"
        )
    )


def _parts_within(root, tree, filled) -> Plan | None:
    """Return the Plan for class folders that each hold their own train, val and test; None if they do not."""
    if len(filled) < 2 or not all(tree.nested(name) for name in filled):
        return None
    for name in filled:
        said = [part_of(inner) for inner in tree.inner(name)]
        if {part for part, _ in said} - set(PARTS) or len({part for part, _ in said}) < len(said):
            return None
        if any(rest for _, rest in said) or "train" not in {part for part, _ in said}:
            return None
    deeper = [
        {composed(one).casefold() for part in tree.inner(name) for one in tree.inner(f"{name}/{part}")}
        for name in filled
    ]
    shared = set.intersection(*deeper)
    if len(shared) < 2:
        return Plan(within=True)
    return Plan(
        problem=(  # these are folds or copies, not classes
            f"{printable(str(root))}: {printable(shortened(filled))} each hold parts with the same class folders "
            f"({printable(shortened(sorted(shared)))}), so they look like copies of one data set, not like "
            f"classes; give only one of them ({quoted(root / filled[0])})"
        )
    )


def _same_folders(root, tree, filled) -> str:
    """Return a message if folders hold sub-folders of the same names, as classes would not; else ""."""
    homes = {name: _unwrapped(tree, name) for name in filled}
    nested = [name for name in filled if tree.nested(homes[name])]
    if len(nested) < 2 or len(nested) < 0.8 * len(filled):
        return ""
    inner = {name: {composed(one).casefold() for one in tree.inner(homes[name])} for name in nested}
    count = collections.Counter(one for names in inner.values() for one in names)
    common = {one for one, n in count.items() if n > 1 and 2 * n >= len(nested)}
    stems = {re.sub(r"[\W\d_]+", "", name.casefold()) for name in nested}
    if len(stems) > 1:  # names other than fold1, fold2: real classes may have been photographed on the same days
        common = {one for one in common if not _CAPTURE.fullmatch(one)}
    alike = [name for name in nested if 2 * len(inner[name] & common) >= len(inner[name])]
    if len(common) < 2 or len(alike) < 0.8 * len(nested):
        return ""
    if len(nested) > MANY and len(common) < len(nested) and len(stems) > 1:
        return ""
    shared = printable(shortened(sorted(common)))
    first = root / homes[max(nested, key=lambda name: len(inner[name]))]
    return (
        f"{printable(str(root))}: the folders {printable(shortened(nested))} hold folders of the same names "
        f"({shared}), so they look like parts or copies of one data set, not like classes. If the inner folders are "
        f"the classes, give one of the outer folders ({quoted(first)}), or name the outer ones train, val and test. If "
        "the outer folders are the classes, move the photographs up into them, or list them in "
        f"{printable(str(root / run_files.SPLIT))} with the columns path,class,part"
    )


def _unwrapped(tree, path) -> str:
    """Return the first folder at or below `path` that holds more than a single folder."""
    while tree.nested(path) and len(tree.inner(path)) == 1 and tree.nested(f"{path}/{tree.inner(path)[0]}"):
        path = f"{path}/{tree.inner(path)[0]}"
    return path
