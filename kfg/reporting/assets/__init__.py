"""The style sheets and scripts of the pages, as files; a page contains the text of those that it needs."""

import functools
import pathlib


@functools.cache
def text(*names: str) -> str:
    """Return the texts of files in this folder, one after the other.

    Example:
        >>> text("page.css").splitlines()[0]
        '/* Look of all pages: light and dark, desktop, phone and paper. */'
    """
    folder = pathlib.Path(__file__).parent
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)
