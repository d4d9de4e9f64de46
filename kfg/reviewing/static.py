"""`kfg review --static`: the same page in a folder, without a server; it offers its decisions as corrections.csv."""

import pathlib

from kfg import overwrite
from kfg.files import whole, write_text
from kfg.progress import Progress
from kfg.reviewing import pictures
from kfg.reviewing.desk import Desk, rows
from kfg.web import pages

HERE = pathlib.Path(__file__).parent
PAGE, PICTURES = "index.html", "pictures"


def check_out(out) -> None:
    """Refuse a folder that holds anything other than such a page.

    Raises:
        InputError: the folder holds something else, or cannot be written.
    """
    overwrite.check_folder(out, marks=(PAGE, PICTURES), parts=(f"{PICTURES}/*.jpg",))
    overwrite.check_writable("--static", out)


def write(desk: Desk, out) -> pathlib.Path:
    """Write the page and its pictures; return the path of the page.

    Args:
        desk: the queue and the decisions.
        out: the folder, after `check_out`.
    Raises:
        InputError: the folder cannot be written.
    """
    out, shown = pathlib.Path(out), desk.pictures
    progress = Progress("pictures written")
    for number, path in enumerate(shown):
        sides = {"small": pictures.SMALL} | ({"large": pictures.LARGE} if number < _large(desk) else {})
        for name, side in sides.items():
            with whole(out / PICTURES / f"{name}-{number}.jpg", "wb") as file:
                file.write(pictures.jpeg(desk.root / path, side))
        progress(number + 1, len(shown))
    shared = pathlib.Path(pages.__file__).parent / "assets"
    inline = {
        "style": "\n".join(path.read_text(encoding="utf-8") for path in (shared / "base.css", _asset("review.css"))),
        "script": _asset("review.js").read_text(encoding="utf-8"),
    }
    data = desk.shown(
        large=lambda number: f"{PICTURES}/large-{number}.jpg", small=lambda number: f"{PICTURES}/small-{number}.jpg"
    )
    page = pages.Pages(HERE).page(
        "review.html",
        title=desk.name,
        told=desk.told,
        table=str(desk.table),
        command=desk.command,
        data=data,
        rows=rows(desk.decisions()),
        inline=inline,
    )
    write_text(out / PAGE, page.body.decode("utf-8"))
    return out / PAGE


def _asset(name) -> pathlib.Path:
    return HERE / "assets" / name


def _large(desk) -> int:
    """Return how many pictures are also shown large: those of the queue and beside it, which come first."""
    return len(
        dict.fromkeys([*(item.path for item in desk.items), *(item.beside for item in desk.items if item.beside)])
    )
