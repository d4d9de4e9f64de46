"""Common parts of all figures: colours, style, labels that fit, PNG files.

Figures use Matplotlib's objects, never pyplot. The colours are those of Okabe and Ito, which people with any common
kind of colour blindness can tell apart.
"""

import contextlib
import functools
import warnings

import matplotlib
from matplotlib import font_manager
from matplotlib.figure import Figure

from kfg import files

BLUE, ORANGE, INK, FAINT = "#0072B2", "#D55E00", "#222222", "#8A8A8A"
STYLE = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "text.parse_math": False,  # a class may be called "$5"
    "figure.facecolor": "white",
}
# Matplotlib's own font has no Chinese, Japanese or Korean letters; these come with Linux, macOS and Windows
FALLBACKS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans SC", "Noto Sans JP", "Noto Sans KR",
    "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback", "IPAexGothic",
    "NanumGothic", "PingFang SC", "Hiragino Sans GB", "Hiragino Sans", "Apple SD Gothic Neo", "Arial Unicode MS",
    "Microsoft YaHei", "SimHei", "Yu Gothic", "MS Gothic", "Malgun Gothic",
    "Noto Sans Arabic", "Noto Sans Hebrew", "Geeza Pro", "Arial Hebrew", "Segoe UI", "Tahoma",
)  # fmt: skip
DPI = 150
NAME_LENGTH = 28  # most characters of a class name that are shown


def styled(draw):
    """Decorate a drawing function so that it runs with STYLE and leaves the caller's matplotlib settings unchanged."""

    @functools.wraps(draw)
    def wrapper(*args, **kwargs):
        with _style():
            return draw(*args, **kwargs)

    return wrapper


@contextlib.contextmanager
def _style():
    """Draw with STYLE and the fonts of this machine; a letter that none of them has becomes a box without a warning."""
    fonts = {"font.family": ["sans-serif", *fallbacks()]}
    with matplotlib.rc_context({**STYLE, **fonts}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


@functools.cache
def fallbacks() -> tuple[str, ...]:
    """Return those of FALLBACKS that are installed; Matplotlib logs a warning for each text in a font that is not."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return tuple(name for name in FALLBACKS if name in installed)


def save(figure: Figure, path) -> None:
    """Write a figure as a PNG, cropped to its contents; the same figure gives the same bytes.

    The file is never seen half written.
    """
    with _style(), files.whole(path, "wb") as file:
        figure.savefig(file, format="png", dpi=DPI, bbox_inches="tight", pad_inches=0.12, metadata={"Software": None})


def short(name: str, length: int = NAME_LENGTH) -> str:
    """Return a name that fits a label: one line, with the middle of a long name left out.

    Example:
        >>> short("Black_footed_Albatross_of_the_Southern_Sea", 20)
        'Black_footed…ern_Sea'
    """
    name = " ".join(name.split())
    if len(name) <= length:
        return name
    head = length * 3 // 5
    return f"{name[:head]}…{name[head + 1 - length :]}"
