"""HTML pieces of a report. Everything that comes from outside is escaped here, and nowhere else.

A page is one file: style, pictures and the table-sorting script are inside, and its content policy forbids the
browser to fetch anything.
"""

import base64
import html
import io
import string
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from kfg.reporting.style import SCRIPT, STYLE

PAGE = string.Template(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
script-src 'unsafe-inline'">
<title>$title</title>
<style>
$style
</style>
</head>
<body>
<header>
<h1>$title</h1>
$warnings
<p class="lead">$lead</p>
<nav>$links</nav>
</header>
<main>
$sections
</main>
<script>
$script
</script>
</body>
</html>
"""
)


class Safe(str):
    """Text that already is HTML."""

    __slots__ = ()


class Number(NamedTuple):
    """A table cell that shows `text` and sorts by `value` (None sorts last)."""

    text: str
    value: float | None


class Section(NamedTuple):
    """A heading, its anchor, and what stands under it."""

    title: str
    anchor: str
    body: Safe


def escape(text) -> Safe:
    """Return text as HTML; what is Safe already stays as it is.

    Example:
        >>> escape("<b> & 'c'")
        '&lt;b&gt; &amp; &#x27;c&#x27;'
    """
    return text if isinstance(text, Safe) else Safe(html.escape(str(text)))


def breakable(text) -> Safe:
    """Return text as HTML that may break behind an underscore, as long class names must on a narrow screen.

    Example:
        >>> breakable("Barn_Swallow")
        'Barn_<wbr>Swallow'
    """
    return text if isinstance(text, Safe) else Safe(escape(text).replace("_", "_<wbr>"))


def joined(parts: Iterable, between: str = "\n") -> Safe:
    """Return the parts, escaped where they are not Safe, in one."""
    return Safe(between.join(escape(part) for part in parts))


def tag(name: str, *content, **attributes) -> Safe:
    """Return an element; a trailing underscore of an attribute is dropped (`class_`), others become hyphens.

    Example:
        >>> tag("p", "1 < 2", class_="note")
        '<p class="note">1 &lt; 2</p>'
    """
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Safe(f"<{name}{pairs}>{joined(content, '')}</{name}>")


def percent(share: float) -> str:
    """Return 0.4856 as "48.6 %", its space unbreakable."""
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def page(title: str, lead, sections: Sequence[Section], *, warnings: Sequence[str] = ()) -> str:
    """Return the whole document; `warnings` stand above everything but the title."""
    links = joined((tag("a", section.title, href=f"#{section.anchor}") for section in sections), " ")
    bodies = joined(tag("section", tag("h2", s.title), s.body, id=s.anchor) for s in sections)
    return PAGE.substitute(
        title=escape(title),
        warnings=joined(map(warning, warnings)),
        lead=escape(lead),
        links=links,
        sections=bodies,
        style=STYLE,
        script=SCRIPT,
    )


def paragraph(*parts, note: bool = False) -> Safe:
    return tag("p", *parts, class_="note" if note else None)


def warning(text: str) -> Safe:
    """Return what a reader must not miss."""
    return tag("p", text, class_="warning", role="alert")


def code(*lines: str) -> Safe:
    """Return commands, a line each."""
    return tag("pre", tag("code", "\n".join(lines)))


def table(headers: Sequence[str], rows: Iterable[Sequence], *, sortable: bool = False, tall: bool = False) -> Safe:
    """Return a table that scrolls sideways where the screen is narrow.

    Args:
        headers: column names.
        rows: cells; a Number stands right-aligned.
        sortable: a click on a column name sorts by it.
        tall: scroll inside a window of the page's height.
    """
    rows = list(rows)
    numeric = [any(isinstance(row[at], Number) for row in rows) for at in range(len(headers))]
    heads = joined(
        tag("th", tag("button", name) if sortable else name, class_="n" if right else None, scope="col")
        for name, right in zip(headers, numeric, strict=True)
    )
    body = joined(tag("tr", *(_cell(cell) for cell in row)) for row in rows)
    inner = tag("table", tag("thead", tag("tr", heads)), tag("tbody", body), class_="sortable" if sortable else None)
    return tag("div", inner, class_="scroll tall" if tall else "scroll")


def _cell(cell) -> Safe:
    if isinstance(cell, Number):
        return tag("td", cell.text, class_="n", data_v="" if cell.value is None else repr(float(cell.value)))
    return tag("td", breakable(cell))


def pairs(items: Iterable[tuple]) -> Safe:
    """Return names and values, a line each."""
    rows = joined(tag("tr", tag("th", name, scope="row"), tag("td", value)) for name, value in items)
    return tag("div", tag("table", tag("tbody", rows), class_="pairs"), class_="scroll")


def tile(label: str, value: str, detail: str, bar: tuple[float, float, float] | None = None) -> Safe:
    """Return a headline figure; `bar` is (value, low, high) in [0, 1], drawn on a scale from 0 to 1."""
    drawn = ""
    if bar:
        at, low, high = (100 * max(0.0, min(1.0, edge)) for edge in bar)
        span = tag("span", class_="range", style=f"left:{low:.1f}%;width:{max(high - low, 0.8):.1f}%")
        drawn = tag("div", span, tag("span", class_="dot", style=f"left:{at:.1f}%"), class_="bar", aria_hidden="true")
    return tag("div", tag("b", label), tag("strong", value), drawn, tag("small", detail), class_="tile")


def tiles(items: Iterable[Safe]) -> Safe:
    return tag("div", *items, class_="tiles")


def picture(png: bytes, alt: str, *, zoom: bool = False) -> Safe:
    """Return an embedded PNG; `zoom` adds a switch to its full size, for pictures wider than a screen."""
    image = Safe(f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">')
    if not zoom:
        return tag("figure", image, class_="wide")  # on a phone it keeps its size and scrolls
    switch = tag("label", Safe('<input type="checkbox"> '), "full size, scroll inside", class_="zoom")
    return tag("figure", switch, tag("div", image, class_="pan"))


def thumbnail(pixels: np.ndarray | None, alt: str) -> Safe:
    """Return an embedded JPEG of uint8 (H, W, 3), or a grey square that says the image was not readable."""
    from PIL import Image

    if pixels is None:
        return tag("div", "not readable", class_="gone")
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode()
    return Safe(f'<img alt="{html.escape(alt)}" loading="lazy" src="data:image/jpeg;base64,{data}">')
