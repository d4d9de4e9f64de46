"""The objects of the demo, drawn flat on a transparent square: seven families of look-alikes, twenty classes.

All classes of a family have the same build and range of colours; they differ in a detail, as species do.
"""

import colorsys

import numpy as np
from PIL import Image, ImageDraw

DARK = (38, 30, 28)


class Pen:
    """Draws in coordinates from -1 to 1, y down, on an RGBA square of `side` pixels."""

    def __init__(self, side: int):
        self.side = side
        self.image = Image.new("RGBA", (side, side))
        self.draw = ImageDraw.Draw(self.image)

    def _pixels(self, points):
        return [tuple(point) for point in ((np.asarray(points, dtype=float) + 1) * self.side / 2).tolist()]

    def polygon(self, points, colour):
        self.draw.polygon(self._pixels(points), fill=colour)

    def ellipse(self, x, y, rx, ry, colour):
        self.draw.ellipse(sum(self._pixels([(x - rx, y - ry), (x + rx, y + ry)]), ()), fill=colour)

    def line(self, points, width, colour):
        self.draw.line(self._pixels(points), fill=colour, width=max(1, round(width * self.side / 2)), joint="curve")

    def ring(self, x, y, rx, ry, width, colour):
        box = sum(self._pixels([(x - rx, y - ry), (x + rx, y + ry)]), ())
        self.draw.ellipse(box, outline=colour, width=max(1, round(width * self.side / 2)))


def colour(rng, hues, saturation=(0.35, 0.85), value=(0.45, 0.9)):
    """Draw a random colour; the range `hues` is in turns of the colour circle and may begin below 0."""
    rgb = colorsys.hsv_to_rgb(rng.uniform(*hues) % 1, rng.uniform(*saturation), rng.uniform(*value))
    return tuple(round(255 * channel) for channel in rgb)


def darker(rgb, factor):
    return tuple(min(255, round(channel * factor)) for channel in rgb)


def oval(x, y, rx, ry, count=40, wobble=None):
    """Return the outline of an ellipse; `wobble` is a function angle -> factor of the radius."""
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    factor = np.ones(count) if wobble is None else wobble(angles)
    return np.stack([x + rx * factor * np.cos(angles), y + ry * factor * np.sin(angles)], axis=1)


def beetle(pen, rng, marks):
    shell = colour(rng, (-0.03, 0.12), (0.6, 0.95))
    for y, reach in ((-0.35, 0.9), (0.05, 0.95), (0.45, 0.85)):
        for side in (-1, 1):
            bend = y + rng.uniform(-0.1, 0.1)
            pen.line([(0, y), (side * 0.68, bend), (side * reach, bend + 0.16)], 0.06, DARK)
    for side in (-1, 1):
        pen.line([(side * 0.1, -0.7), (side * rng.uniform(0.2, 0.4), -0.98)], 0.04, DARK)
    pen.ellipse(0, -0.62, 0.34, 0.26, DARK)
    width = rng.uniform(0.56, 0.66)
    pen.ellipse(0, 0.12, width, 0.72, shell)
    if marks == "stripes":
        for x in (-0.36, -0.14, 0.14, 0.36):
            pen.line([(x * 0.8, -0.42), (x, 0.12), (x * 0.8, 0.62)], 0.1, DARK)
    spots = {"two": [(0.3, 0.1)], "seven": [(0.22, -0.28), (0.38, 0.16), (0.2, 0.52)]}.get(marks, [])
    radius = rng.uniform(0.1, 0.13) * (1.35 if marks == "two" else 1)
    for x, y in spots:
        for side in (-1, 1):
            pen.ellipse(side * x + rng.normal(0, 0.02), y + rng.normal(0, 0.02), radius, radius, DARK)
    if marks == "seven":
        pen.ellipse(0, -0.48, radius, radius * 0.8, DARK)
    pen.line([(0, -0.58), (0, 0.84)], 0.03, DARK)


def bird(pen, rng, bill, tail):
    back = colour(rng, (0.05, 0.2), (0.2, 0.7), (0.35, 0.75))
    belly = colour(rng, (0.08, 0.17), (0.15, 0.7), (0.7, 0.95))
    for x in (-0.06, 0.1):
        pen.line([(x, 0.4), (x - 0.04, 0.8)], 0.045, DARK)
    pen.polygon(
        [(0.3, 0.0), (0.5 + tail, 0.22 + tail * 0.4), (0.46 + tail, 0.34 + tail * 0.4), (0.3, 0.3)], darker(back, 0.8)
    )
    pen.polygon(oval(0, 0.14, 0.52, 0.36), belly)
    pen.polygon([(-0.35, -0.2), (0.1, -0.18), (0.52, 0.16), (0.3, 0.24), (-0.2, 0.14)], back)
    pen.ellipse(-0.4, -0.28, 0.27, 0.25, back)
    pen.ellipse(-0.42, -0.18, 0.2, 0.13, belly)
    length, depth = {"stout": (0.19, 0.12), "fine": (0.27, 0.045)}[bill]
    pen.polygon([(-0.61, -0.26 - depth), (-0.63 - length, -0.24), (-0.61, -0.24 + depth)], (70, 60, 50))
    pen.ellipse(-0.47, -0.33, 0.045, 0.045, DARK)
    pen.polygon([(-0.12, 0.0), (0.3, 0.04), (0.56, 0.24), (0.1, 0.28)], darker(back, 0.7))
    pen.line([(-0.02, 0.08), (0.24, 0.2)], 0.05, darker(belly, 1.05))


def fish(pen, rng, marks):
    scales = colour(rng, (0.1, 0.55), (0.15, 0.5), (0.5, 0.85))
    fin = darker(scales, 0.75) if marks != "plain" else colour(rng, (-0.02, 0.06), (0.5, 0.8))
    depth = rng.uniform(0.32, 0.4)
    pen.polygon([(0.5, 0), (0.95, -0.34), (0.84, 0), (0.95, 0.34)], fin)
    pen.polygon([(-0.25, -depth * 0.8), (0.0, -depth - 0.22), (0.34, -depth * 0.5)], darker(scales, 0.75))
    pen.polygon([(-0.1, depth * 0.8), (0.06, depth + 0.2), (0.2, depth * 0.7)], fin)
    pen.polygon(oval(-0.12, 0, 0.76, depth, wobble=lambda a: 1 - 0.1 * np.cos(a) * (np.cos(a) > 0)), scales)
    pen.polygon(oval(-0.14, depth * 0.5, 0.62, depth * 0.45), darker(scales, 1.25))
    if marks == "bars":
        for x in np.linspace(-0.42, 0.4, 5):
            half = depth * np.sqrt(max(0.05, 1 - ((x + 0.12) / 0.76) ** 2))
            pen.line([(x, -half * 0.95), (x + 0.03, half * 0.35)], 0.085, darker(scales, 0.45))
    if marks == "spots":
        for x in np.linspace(-0.42, 0.42, 7):
            for y in (-0.45, -0.05):
                x_, y_ = x + rng.normal(0, 0.04), depth * (y + rng.normal(0, 0.12))
                pen.ellipse(x_, y_, 0.045, 0.045, darker(scales, 0.4))
    pen.line([(-0.56, -depth * 0.6), (-0.5, 0), (-0.56, depth * 0.6)], 0.03, darker(scales, 0.6))
    pen.ellipse(-0.68, -0.07, 0.07, 0.07, (235, 230, 210))
    pen.ellipse(-0.68, -0.07, 0.04, 0.04, DARK)


def mushroom(pen, rng, kind):
    stem, cap = (
        colour(rng, (0.08, 0.14), (0.05, 0.25), (0.75, 0.95)),
        colour(rng, (-0.02, 0.11), (0.4, 0.9), (0.5, 0.9)),
    )
    thick, bend = rng.uniform(0.13, 0.19), rng.uniform(-0.1, 0.1)
    foot = thick * 1.4
    pen.polygon([(-thick, -0.1), (thick, -0.1), (foot + bend, 0.85), (-foot + bend, 0.85)], stem)
    if kind == "ring":
        pen.polygon(
            [(-thick - 0.02, 0.16), (thick + 0.02, 0.16), (thick + 0.16, 0.32), (-thick - 0.16, 0.32)],
            darker(stem, 0.85),
        )
    high, wide = rng.uniform(0.55, 0.75), rng.uniform(0.68, 0.85)
    top = oval(0, 0, wide, high, count=60)
    pen.polygon(np.stack([top[:, 0], np.minimum(top[:, 1], 0.12 * np.cos(top[:, 0] * 1.6)) - 0.05], axis=1), cap)
    pen.ellipse(0, 0.02, wide * 0.94, 0.1, darker(stem, 0.8))
    if kind == "warts":
        for x, y in (
            (-0.45, -0.28),
            (-0.12, -0.48),
            (0.26, -0.42),
            (0.5, -0.22),
            (0.05, -0.2),
            (-0.26, -0.14),
            (0.3, -0.12),
        ):
            r = rng.uniform(0.05, 0.085)
            pen.ellipse(
                wide * x * 1.2 + rng.normal(0, 0.03), high * y * 1.3 + rng.normal(0, 0.02), r, r * 0.8, (240, 232, 215)
            )


def leaf(pen, rng, edge):
    green = colour(rng, (0.04, 0.33), (0.4, 0.85), (0.35, 0.8))
    wide = rng.uniform(0.46, 0.56)
    wobbles = {
        "smooth": None,
        "teeth": lambda a: 1 + 0.09 * (((a * 30 / (2 * np.pi)) % 1) - 0.5) * 2,
        "lobes": lambda a: 1 + 0.2 * np.cos(10 * a),
    }
    outline = oval(0, 0, wide, 0.8, count=240, wobble=wobbles[edge])
    outline[:, 0] *= 1 - 0.35 * np.clip(-outline[:, 1], 0, 1)  # the leaf narrows towards its tip
    pen.line([(0, 0.7), (rng.uniform(-0.1, 0.1), 0.99)], 0.06, darker(green, 0.6))
    pen.polygon(outline, green)
    pen.line([(0, -0.72), (0, 0.8)], 0.035, darker(green, 1.3))
    for y in np.linspace(-0.45, 0.55, 6):
        for side in (-1, 1):
            pen.line([(0, y), (side * wide * 0.75, y - 0.2)], 0.02, darker(green, 1.25))


def cup(pen, rng, kind):
    glaze = colour(rng, (0, 1), (0.15, 0.7), (0.55, 0.95))
    side = rng.choice([-1, 1])
    foot = 0.52 if kind != "teacup" else 0.3
    top, bottom = (-0.55, 0.6) if kind != "teacup" else (-0.3, 0.42)
    if kind == "teacup":
        pen.ellipse(0, 0.48, 0.92, 0.16, darker(glaze, 0.9))
    if kind != "beaker":
        pen.ring(side * 0.58, (top + bottom) / 2 - 0.02, 0.3, 0.3, 0.09, darker(glaze, 0.75))
    pen.polygon([(-0.56, top), (0.56, top), (foot, bottom), (-foot, bottom)], glaze)
    pen.ellipse(0, bottom, foot, 0.1, glaze)
    pen.ellipse(0, top, 0.56, 0.13, darker(glaze, 0.8))
    pen.ellipse(0, top + 0.02, 0.48, 0.09, colour(rng, (0.04, 0.09), (0.5, 0.8), (0.2, 0.45)))
    if rng.random() < 0.6:
        y, band = rng.uniform(top + 0.25, bottom - 0.2), colour(rng, (0, 1))
        inner = 0.54 - (0.54 - foot) * (y - top) / (bottom - top)
        pen.line([(-inner, y), (inner, y)], rng.uniform(0.05, 0.12), band)


def boat(pen, rng, masts):
    hull, sail = colour(rng, (0, 1), (0.3, 0.8), (0.25, 0.7)), colour(rng, (0.05, 0.17), (0.03, 0.25), (0.85, 1.0))
    mast = rng.uniform(-0.12, 0.02) if masts == 1 else rng.uniform(-0.28, -0.16)
    rigs = [(mast, -0.92, 0.5)] if masts == 1 else [(mast, -0.92, 0.42), (mast + 0.58, -0.5, 0.28)]
    for x, top, boom in rigs:
        pen.line([(x, top), (x, 0.45)], 0.04, (96, 70, 45))
        pen.polygon([(x + 0.03, top + 0.06), (x + boom, 0.3), (x + 0.03, 0.34)], sail)
    pen.polygon([(mast - 0.03, -0.8), (mast - 0.03, 0.3), (-0.78, 0.4)], darker(sail, 0.92))
    pen.polygon([(-0.86, 0.42), (0.8, 0.42), (0.62, 0.74), (-0.55, 0.74)], hull)
    pen.line([(-0.8, 0.47), (0.77, 0.47)], 0.04, darker(hull, 1.5))


# Family -> class -> (function that draws it, its arguments). The classes of a family look alike.
FAMILIES = {
    "beetle": {
        "ladybird_two": (beetle, "two"),
        "ladybird_seven": (beetle, "seven"),
        "leaf_beetle": (beetle, "stripes"),
    },
    "bird": {"finch": (bird, "stout", 0.1), "warbler": (bird, "fine", 0.1), "wagtail": (bird, "fine", 0.42)},
    "fish": {"roach": (fish, "plain"), "perch": (fish, "bars"), "trout": (fish, "spots")},
    "mushroom": {"bolete": (mushroom, "plain"), "fly_agaric": (mushroom, "warts"), "parasol": (mushroom, "ring")},
    "leaf": {"beech": (leaf, "smooth"), "elm": (leaf, "teeth"), "oak": (leaf, "lobes")},
    "cup": {"mug": (cup, "mug"), "beaker": (cup, "beaker"), "teacup": (cup, "teacup")},
    "boat": {"sloop": (boat, 1), "ketch": (boat, 2)},
}


def draw(name: str, rng, side: int) -> Image.Image:
    """Draw one object of class `name` as an RGBA square of `side` pixels."""
    function, *detail = next(kinds[name] for kinds in FAMILIES.values() if name in kinds)
    pen = Pen(side)
    function(pen, rng, *detail)
    return pen.image
