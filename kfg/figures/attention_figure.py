"""Draw what attention chose: the object and parts of MMAL-Net as boxes, the strips of FBSD with their weights."""

import numpy as np

from kfg.figures.drawing import BLUE, INK, ORANGE
from kfg.figures.panels import Outline, Panel

PARTS = ("#56B4E9", "#F0E442", "#009E73", "#CC79A7", "#E69F00", BLUE, INK)  # colours of Okabe and Ito, by turns
FADED = 0.8  # share of white mixed into a strip of weight 0


def boxes_panels(image, object_box, part_boxes) -> list[Panel]:
    """Return two panels: the image with the boxes of the object and its parts, and the object with its numbered parts.

    Args:
        image: uint8 (H, W, 3).
        object_box: float (4,), y0, x0, y1, x1 in pixels of the image, both ends included.
        part_boxes: float (N, 4), boxes of the parts in the same form, in pixels of the object's image, which is the
            content of the object box resized to the image's size.
    """
    y0, x0, y1, x1 = (int(edge) for edge in object_box)
    parts = on_image(part_boxes, object_box, size=image.shape[:2])
    colours = [PARTS[i % len(PARTS)] for i in range(len(parts))]
    drawn = [Outline(tuple(box), colour, width=0.8) for box, colour in zip(parts.tolist(), colours, strict=True)]
    inside = zip((parts - [y0, x0, y0, x0]).tolist(), colours, strict=True)
    numbered = tuple(Outline(tuple(box), colour, word=str(i)) for i, (box, colour) in enumerate(inside, start=1))
    return [
        Panel(image, "object and parts", (*drawn, Outline((y0, x0, y1, x1), ORANGE, width=1.8))),
        Panel(image[y0 : y1 + 1, x0 : x1 + 1], "the object's parts", numbered),
    ]


def on_image(part_boxes, object_box, *, size: tuple[int, int]) -> np.ndarray:
    """Convert boxes on the object's image to boxes on the image that it was cut from, float64 (N, 4).

    Args:
        part_boxes, object_box: as for `boxes_panels`.
        size: (height, width) of the object's image; its corner pixels correspond to the corner pixels of the box.
    Example:
        >>> on_image([[0, 0, 31, 63]], [8, 10, 39, 25], size=(63, 64)).tolist()  # its upper half
        [[8.0, 10.0, 23.5, 25.0]]
    """
    y0, x0, y1, x1 = np.asarray(object_box, np.float64)
    scale = np.array([(y1 - y0) / (size[0] - 1), (x1 - x0) / (size[1] - 1)] * 2)
    return np.asarray(part_boxes, np.float64) * scale + [y0, x0, y0, x0]


def strips_panels(image, weights: dict, *, axis: str, seen: tuple[int, int, int, int]) -> list[Panel]:
    """Return a panel per stage: the smaller the weight of a strip, the paler it is; the suppressed strip is framed.

    Args:
        image: uint8 (H, W, 3).
        weights: stage -> float (strips,), which sum to 1.
        axis: "height" for strips one above the other, or "width" for strips side by side.
        seen: box of the image that is divided into strips, see `gradcam.seen`; outside of it the image is palest.
    """
    return [_strips(image, np.asarray(values), stage, axis, seen) for stage, values in weights.items()]


def _strips(image, weights, stage, axis, seen):
    y0, x0, y1, x1 = seen
    first, last = (y0, y1) if axis == "height" else (x0, x1)
    edges = np.round(np.linspace(first, last + 1, len(weights) + 1)).astype(int)
    paleness = np.repeat(FADED * (1 - weights / weights.max()), np.diff(edges))
    white = np.full((*image.shape[:2], 1), FADED)
    white[y0 : y1 + 1, x0 : x1 + 1] = paleness[:, None, None] if axis == "height" else paleness[None, :, None]
    paler = np.round(image * (1 - white) + 255 * white).astype(np.uint8)
    outlines = []
    for start, end, weight in zip(edges[:-1], edges[1:], weights, strict=True):
        box = (start, x0, end - 1, x1) if axis == "height" else (y0, start, y1, end - 1)
        hidden = weight == weights.max()
        colour, width = (ORANGE, 1.8) if hidden else (INK, 0)
        outlines.append(Outline(tuple(map(float, box)), colour, word=f"{100 * weight:.0f}", width=width))
    return Panel(paler, f"{stage}: weights in %", tuple(outlines))
