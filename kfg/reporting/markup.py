"""HTML pieces of a report. All text from outside is escaped in this module, and nowhere else.

A page is one file that contains its style, pictures, scripts and data. Its content security policy forbids the browser
to fetch anything, and to run any script except the page's own, whose digest it names.
"""

import base64
import hashlib
import html
import io
import json
import re
import string
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from kfg.reporting import assets

LARGE = 300_000  # bytes; a larger PNG is put into the page as a WebP
PAGE = string.Template(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
script-src 'sha256-$digest'">
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
$end
<script>$script</script>
</body>
</html>
"""
)


class Safe(str):
    """Text that is HTML already and must not be escaped."""

    __slots__ = ()


EMPTY = Safe("")
FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"


class Number(NamedTuple):
    """A table cell that shows `text` and sorts by `value`; None sorts last."""

    text: str
    value: float | None


class Section(NamedTuple):
    """A section of a page: heading, anchor and content."""

    title: str
    anchor: str
    body: Safe


def escape(text) -> Safe:
    """Return text as HTML; Safe text is returned unchanged.

    Example:
        >>> escape("<b> & 'c'")
        '&lt;b&gt; &amp; &#x27;c&#x27;'
    """
    return text if isinstance(text, Safe) else Safe(html.escape(str(text)))


def breakable(text) -> Safe:
    """Return text as HTML that may break after an underscore or a slash, as long names must on a narrow screen.

    A text with a name that is written from right to left is set apart, so that it does not move what stands beside it.

    Example:
        >>> breakable("birds/Barn_Swallow")
        'birds/<wbr>Barn_<wbr>Swallow'
    """
    if isinstance(text, Safe):
        return text
    shown = Safe(re.sub("([_/])", r"\1<wbr>", escape(text)))
    return Safe(f"<bdi>{shown}</bdi>") if _right_to_left(str(text)) else shown


def isolated(name: str) -> str:
    """Return a name for use in a sentence: if it is written from right to left, between isolates (UAX 9).

    Otherwise a number after an Arabic or Hebrew name would be shown before it.
    """
    return f"{FIRST_STRONG_ISOLATE}{name}{POP_ISOLATE}" if _right_to_left(name) else name


def _right_to_left(text: str) -> bool:
    return any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text)


def joined(parts: Iterable, between: str = "\n") -> Safe:
    """Return the parts as one text; those that are not Safe are escaped."""
    return Safe(between.join(escape(part) for part in parts))


def tag(name: str, *content, **attributes) -> Safe:
    """Return an HTML element. In attribute names a trailing underscore is dropped (`class_`), others become hyphens.

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


def sentence(text: str) -> Safe:
    """Return a sentence whose commands stand between backticks, as on the screen, with the commands as HTML code.

    Example:
        >>> sentence("use it with `kfg predict a&b`")
        'use it with <code>kfg predict a&amp;b</code>'
    """
    words = text.split("`")
    return joined([tag("code", word) if number % 2 else word for number, word in enumerate(words)], "")


def page(
    title: str,
    lead,
    sections: Sequence[Section],
    *,
    warnings: Sequence[str] = (),
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    end: Safe = EMPTY,
) -> str:
    """Return the whole document.

    Args:
        title, lead: the heading and the text below it.
        sections: the sections of the page.
        warnings: texts above everything except the title.
        styles, scripts: files in kfg.reporting.assets, besides those that every page has.
        end: HTML after the sections, for the scripts.
    """
    script = assets.text("tables.js", *scripts)
    links = joined((tag("a", section.title, href=f"#{section.anchor}") for section in sections), " ")
    bodies = joined(tag("section", tag("h2", s.title), s.body, id=s.anchor) for s in sections)
    return PAGE.substitute(
        title=escape(title),
        warnings=joined(map(warning, warnings)),
        lead=escape(lead),
        links=links,
        sections=bodies,
        end=end,
        style=assets.text("page.css", *styles),
        script=script,
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def data_block(name: str, values) -> Safe:
    r"""Return values as JSON that the page's script can read; no text in them can end the block early.

    Example:
        >>> data_block("birds", ["</script>"])
        '<script type="application/json" id="birds">["\\u003c/script>"]</script>'
    """
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return Safe(f'<script type="application/json" id="{name}">{text}</script>')


def shows(content, what: str) -> Safe:
    """Return content that the page's script turns into a button that shows photographs.

    Args:
        content: text, or Safe.
        what: "class:3", "cell:3,5" (of class 3, taken for 5), "pair:3,5" (both directions) or "image:17".
    """
    return tag("span", breakable(content), data_show=what)


def paragraph(*parts, note: bool = False) -> Safe:
    return tag("p", *parts, class_="note" if note else None)


def warning(text: str) -> Safe:
    """Return a text that a reader must not miss, as an alert."""
    return tag("p", text, class_="warning", role="alert")


def code(*lines: str) -> Safe:
    """Return commands as a code block, one on each line."""
    return tag("pre", tag("code", "\n".join(lines)))


def table(headers: Sequence[str], rows: Iterable[Sequence], *, sortable: bool = False, tall: bool = False) -> Safe:
    """Return a table that scrolls sideways if the screen is narrow.

    Args:
        headers: column names.
        rows: cells; a Number is right-aligned.
        sortable: whether a click on a column name sorts by it.
        tall: whether it scrolls inside a window of the page's height.
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
    """Return names and values as a table, one pair in each row."""
    rows = joined(tag("tr", tag("th", name, scope="row"), tag("td", value)) for name, value in items)
    return tag("div", tag("table", tag("tbody", rows), class_="pairs"), class_="scroll")


def tile(label: str, value: str, detail: str, bar: tuple[float, float, float] | None = None) -> Safe:
    """Return a tile with a headline figure; `bar` is (value, low, high) in [0, 1], drawn on a scale from 0 to 1."""
    drawn = ""
    if bar:
        at, low, high = (100 * max(0.0, min(1.0, edge)) for edge in bar)
        span = tag("span", class_="range", style=f"left:{low:.1f}%;width:{max(high - low, 0.8):.1f}%")
        drawn = tag("div", span, tag("span", class_="dot", style=f"left:{at:.1f}%"), class_="bar", aria_hidden="true")
    return tag("div", tag("b", label), tag("strong", value), drawn, tag("small", detail), class_="tile")


def tiles(items: Iterable[Safe]) -> Safe:
    return tag("div", *items, class_="tiles")


def picture(png: bytes, alt: str, *, zoom: bool = False) -> Safe:
    """Return an embedded PNG; `zoom` adds a switch to full size, for pictures wider than a screen."""
    kind, data = _compact(png)
    image = Safe(f'<img alt="{html.escape(alt)}" src="data:image/{kind};base64,{base64.b64encode(data).decode()}">')
    if not zoom:
        return tag("figure", image, class_="wide")  # on a phone it keeps its size and scrolls
    switch = tag("label", Safe('<input type="checkbox"> '), "full size, with scroll bars", class_="zoom")
    return tag("figure", switch, tag("div", image, class_="pan"))


def _compact(png: bytes) -> tuple[str, bytes]:
    """Return a large picture as a WebP, which for photographs is a fifth of the size; return a small one unchanged."""
    if len(png) < LARGE:
        return "png", png
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").save(buffer, format="WEBP", quality=85, method=4)
    return min(("webp", buffer.getvalue()), ("png", png), key=lambda one: len(one[1]))


def thumbnail(pixels: np.ndarray | None, alt: str) -> Safe:
    """Return an embedded WebP of uint8 (H, W, 3), or a grey square that says the image could not be read."""
    from PIL import Image

    if pixels is None:
        return encoded_thumbnail(None, alt)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="WEBP", quality=80)
    return encoded_thumbnail(base64.b64encode(buffer.getvalue()).decode(), alt)


def encoded_thumbnail(webp: str | None, alt: str) -> Safe:
    """Return an embedded picture from a WebP in base64; None gives a grey square."""
    if webp is None:
        return tag("div", "cannot be read", class_="gone")
    return Safe(f'<img alt="{html.escape(alt)}" loading="lazy" src="data:image/webp;base64,{webp}">')
