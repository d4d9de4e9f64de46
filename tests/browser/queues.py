"""Queues for tests: drawn photographs, and what is suspicious about them, without a net."""

import asyncio
import contextlib
import threading

import numpy as np
from PIL import Image

from kfg.data import folder
from kfg.files import digest
from kfg.reviewing.application import Application
from kfg.reviewing.desk import Desk
from kfg.reviewing.items import Item, Suspicion

COLOURS = {"cherry": (150, 20, 50), "plum": (90, 40, 120), "tomato": (220, 60, 40)}
QUEUE = (  # path, kind, half a sentence, other class
    ("cherry/1.jpg", "label", "looks like tomato, margin -0.97", "tomato"),
    ("tomato/2.jpg", "label", "looks like cherry, margin -0.81", "cherry"),
    ("plum/0.jpg", "outlier", "does not look like any other photograph", None),
    ("plum/3.jpg", "quality", "dark", None),
)


def drawn(root):
    """Draw four photographs of each class: a disc of its colour."""
    rows, columns = np.mgrid[:90, :120]
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for number in range(4):
            picture = np.full((90, 120, 3), 235 - 12 * number, np.uint8)
            picture[(rows - 45) ** 2 + (columns - 40 - 12 * number) ** 2 < 900] = colour
            Image.fromarray(picture).save(root / name / f"{number}.jpg")
    return root


def desk_of(root, *, table=None, queue=QUEUE):
    """Return a desk with a queue that was made up."""
    index = folder.scan(root, corrections=False)
    before = {path: index.classes[label] for path, label in zip(index.paths, index.labels, strict=True)}
    items = [
        Item(path, before[path], (Suspicion(kind, 0.9, said, other),), digest(root / path))
        for path, kind, said, other in queue
    ]
    return Desk(
        root=root,
        table=table or root / "corrections.csv",
        classes=index.classes,
        before=before,
        items=items,
        typical={name: [f"{name}/0.jpg", f"{name}/3.jpg"] for name in index.classes},
        told="12 photographs, each judged by hand.",
    )


@contextlib.contextmanager
def served(desk):
    """Serve a desk in a thread, on a free port of this machine; yield the address."""
    from kfg.web import listening

    place = listening.bound("127.0.0.1", 0)
    server = listening.server(Application(desk).asgi, sending=60)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[place])))
    thread.start()
    try:
        yield listening.address_of(place)
    finally:
        server.should_exit = True
        thread.join()
