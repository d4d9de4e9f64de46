"""A run whose net tells colours, made in a second, and servers of it."""

import asyncio
import contextlib
import csv
import hashlib
import io
import json
import threading
import time

import httpx
import numpy as np
import pytest
from PIL import Image

COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}
SIZE = 32  # px, of what the net sees


def jpeg(colour, size=(60, 40), *, format="JPEG", seed=0) -> bytes:
    """Return a noisy picture of a colour as the bytes of a file."""
    noise = np.random.default_rng(seed).normal(0, 10, (size[1], size[0], 3))
    file = io.BytesIO()
    Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)).save(file, format)
    return file.getvalue()


def colour_net():
    """Return a net that answers which colour an image has most of: a convolution, a mean and a dense layer."""
    import keras

    images = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Rescaling(1 / 255)(images)
    x = keras.layers.Conv2D(3, 3, padding="same", use_bias=False, name="conv")(x)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    model = keras.Model(images, keras.layers.Dense(3, activation="softmax", name="head")(x))
    kernel = np.zeros((3, 3, 3, 3), np.float32)
    kernel[1, 1] = np.eye(3)
    model.get_layer("conv").set_weights([kernel])
    model.get_layer("head").set_weights([np.eye(3, dtype=np.float32) * 6, np.zeros(3, np.float32)])
    return model


@pytest.fixture(scope="session")
def colour_run(tmp_path_factory):
    """Return a run folder with its photographs beside it: 4 of each colour, split.csv, export and model.keras."""
    import keras

    from kfg.exporting import saved_model

    home = tmp_path_factory.mktemp("served")
    photographs, run = home / "photographs", home / "run"
    rows = []
    for label, colour in COLOURS.items():
        (photographs / label).mkdir(parents=True)
        for number in range(4):
            data = jpeg(colour, seed=number)
            path = f"{label}/{number}.jpg"
            (photographs / path).write_bytes(data)
            part = "test" if number == 3 else "train"
            rows.append((path, label, part, hashlib.sha256(data).hexdigest()))
    run.mkdir()
    with open(run / "split.csv", "w", newline="") as file:
        csv.writer(file).writerows([("path", "class", "part", "sha256"), *rows])
    classes = list(COLOURS)
    (run / "classes.json").write_text(json.dumps(classes))
    (run / "config.json").write_text(json.dumps({"data": {"name": "colours"}, "config": {}}))
    (run / "env.json").write_text(json.dumps({"photographs": str(photographs)}))
    top1 = {"value": 1.0, "low": 0.4, "high": 1.0}
    (run / "report.json").write_text(json.dumps({"top1": top1, "images": 3, "classes": 3}))
    model = colour_net()
    model.save(run / "model.keras")
    samples = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8)
    saved_model.save(keras.saving.load_model(run / "model.keras"), run / "export", classes=classes, samples=samples)
    return run


@contextlib.contextmanager
def served(application):
    """Serve an application in a thread, on a free port of this machine; yield a client that knows its address."""
    from kfg.web import listening

    def failed():
        server.should_exit = True

    application.on_failure = failed
    place = listening.bound("127.0.0.1", 0)
    server = listening.server(application.asgi, sending=application.service.limits.sending)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[place])))
    thread.start()
    try:
        with httpx.Client(base_url=listening.address_of(place), timeout=120, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        if application.failure is not None:
            raise application.failure


def when(client, done, *, seconds=240):
    """Ask for the server's state until `done` holds of it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if done(state := client.get("/state").json()):
            return state
        time.sleep(0.05)
    raise AssertionError(f"after {seconds} s the server says {state}")


@pytest.fixture(scope="module")
def server(colour_run):
    """Yield a client of a server whose model and neighbours are ready."""
    from kfg.serving.application import Application

    with served(Application(colour_run)) as client:
        when(client, lambda state: state["nearest"]["state"] == "ready")
        yield client


def form_of(*photographs):
    """Return photographs as httpx sends them in a form."""
    return [("photograph", (f"{number}.jpg", data, "image/jpeg")) for number, data in enumerate(photographs)]
