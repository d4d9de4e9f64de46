"""Kill a review while it writes decisions, and start it again: each confirmed decision must be in the table once.

After every tenth decision the server is killed, in half of the cases in the middle of the next decision, which is then
not confirmed; the page would send it again, and so does this campaign.
"""

import contextlib
import pathlib
import signal
import subprocess
import sys
import threading
import time

import httpx
import numpy as np
from PIL import Image

from chaos.tally import Failure, Tally
from kfg.data import corrections
from kfg.errors import InputError

EVERY = 10  # decisions between two kills
LONGEST = 0.03  # most seconds after the start of a decision at which the server is killed
CLASSES = ("ant", "bee")
SERVER = """
import pathlib, sys
from kfg.data import folder
from kfg.files import digest
from kfg.reviewing.application import Application
from kfg.reviewing.desk import Desk
from kfg.reviewing.items import Item, Suspicion
from kfg.web import listening
root = pathlib.Path(sys.argv[1])
index = folder.scan(root, corrections=False)
before = {path: index.classes[label] for path, label in zip(index.paths, index.labels)}
items = [Item(path, name, (Suspicion("label", 1.0, "odd"),), digest(root / path)) for path, name in before.items()]
desk = Desk(root, root / "corrections.csv", index.classes, before, items, {}, "")
place = listening.bound("127.0.0.1", 0)
print(listening.address_of(place), flush=True)
listening.run(listening.server(Application(desk).asgi, sending=60), place)
"""


def campaign(tally: Tally, scratch, *, count: int = 200, minutes: float | None = None) -> None:
    """Make `count` decisions, with a kill after every tenth.

    Args:
        tally: the Tally that counts the results.
        scratch: working folder.
        count: number of decisions.
        minutes: after this time no further server is started; None: no limit.
    """
    rng = np.random.default_rng(tally.seed)
    root = photographs(pathlib.Path(scratch) / "photos", count + 2)
    end = None if minutes is None else time.monotonic() + 60 * minutes
    answered, tally.figures["kills"] = {}, 0
    while len(answered) < count and (end is None or time.monotonic() < end):
        interrupted = decide(root, answered, count, rng)
        tally.figures["kills"] += 1
        tally.note("review: killed", check(root, answered, interrupted), keep=[root / "corrections.csv"])


def photographs(root, count) -> pathlib.Path:
    """Draw `count` small photographs of two classes, all different."""
    for number in range(count):
        path = root / CLASSES[number % 2] / f"{number // 2:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4, 3), (number % 256, number // 256, 90), np.uint8)).save(path)
    return root


def decide(root, answered, count, rng) -> int:
    """Start a server, make ten decisions, kill it; return the number of the interrupted decision, or -1 for none."""
    with subprocess.Popen([sys.executable, "-c", SERVER, str(root)], stdout=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().strip()
        with httpx.Client(base_url=address, trust_env=False, timeout=60) as client:
            first = len(answered)
            for number in range(first, min(first + EVERY, count)):
                answered[number] = asked(client, number)
            interrupted = len(answered) if rng.random() < 0.5 and len(answered) < count else -1
            if interrupted >= 0:
                threading.Timer(float(rng.uniform(0, LONGEST)), process.send_signal, [signal.SIGKILL]).start()
                with contextlib.suppress(httpx.HTTPError):  # no answer: the decision is sent to the next server again
                    answered[interrupted] = asked(client, interrupted)
            process.send_signal(signal.SIGKILL)
    return interrupted


def asked(client, number) -> str:
    """Send a decision about a photograph; return the class after it, or the problem that the server reports."""
    after = ("left out", *CLASSES)[number % 3]
    found = client.post("/decisions", json={"number": number, "after": after, "was": None}).json()
    return found["problem"] or after


def check(root, answered, interrupted) -> list[Failure]:
    """Return what is wrong with the table: confirmed decisions that are missing or doubled, or half a line."""
    paths = [f"{name}/{path.name}" for name in CLASSES for path in sorted((root / name).iterdir())]
    try:
        rows = corrections.read(root / "corrections.csv", root)
    except InputError as error:
        return [Failure("lost", str(error))]
    found = {one.path: one.after for one in rows}  # `read` refuses a table with a photograph twice
    expected = {paths[number]: after for number, after in answered.items()}
    lost = [Failure("lost", f"{path}: {after}") for path, after in expected.items() if found.get(path) != after]
    allowed = {*expected, *(paths[number] for number in (interrupted,) if number >= 0)}
    return lost + [Failure("other", f"{path}: nobody decided on it") for path in found if path not in allowed]
