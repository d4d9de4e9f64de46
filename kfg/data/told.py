"""Messages about the photographs of a kfg.data.index.Index: how they were read, and which files were skipped."""

from kfg.data import layouts
from kfg.data.contest import list_folder
from kfg.names import printable
from kfg.runs import run_files


def decided_by(index) -> str:
    """Return, for messages, what gives the parts of a data folder: a table, a set's own lists or the part folders."""
    root = index.root
    if (root / run_files.SPLIT).is_file():
        return str(root / run_files.SPLIT)
    if index.listed:
        return str(index.listed.csv)
    layout = layouts.find(root)
    return f"{layout.name}'s own lists" if layout else "the part folders"


def parts_read(index) -> str:
    """Return a message on how a table of labels was read, which folders are parts, and how many images have no part.

    It is "" if there is nothing to say, for example if the part folders are simply named train, val and test.
    """
    told = [index.listed.told if index.listed else "", _parts_read(index)]
    return "; ".join(filter(None, told))


def _undecided(index, table) -> str:
    """Say how many images have no part in a table, and from which images a missing part is taken."""
    left = index.parts.count("")
    told = f"{left:,} images have no part in {table}; kfg chooses one for them"
    missing = {"val", "test"} - set(index.parts)
    if missing and left < index.parts.count("train"):  # as kfg.data.splits.split does
        told += ", and takes a missing part from these and the training images"
    return told


def _parts_read(index) -> str:
    root, left = index.root, index.parts.count("")
    if (root / run_files.SPLIT).is_file():
        return _undecided(index, run_files.SPLIT) if left else ""
    if index.listed and 0 < left < len(index):
        return _undecided(index, printable(str(index.listed.csv)))
    if left == len(index) or index.listed or layouts.find(root):
        return ""
    top = {part: path.partition("/")[0] for path, part in zip(index.paths, index.parts, strict=True) if part}
    classes = [index.classes[label] for label in index.labels]
    if all(path.partition("/")[0] == name for path, name in zip(index.paths, classes, strict=True)):
        return "the parts are folders inside the class folders"
    if all(part == name for part, name in top.items()):
        return ""
    return "read as parts: " + ", ".join(f"{printable(name)} as {part}" for part, name in top.items())


def passed_over(index) -> list[tuple[str, str]]:
    """List the folder of `index` again and return (path, reason) of every file and folder that `index` does not use."""
    if index.listed:
        return index.listed.passed_over(index.root, corrections=index.corrected and index.corrected.table)
    layout = None if (index.root / run_files.SPLIT).is_file() else layouts.find(index.root)
    left_out = index.corrected.left_out if index.corrected else ()
    return list_folder(index.root).passed_over((*index.paths, *left_out), below=layout.folder if layout else "")
