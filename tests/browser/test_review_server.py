"""What the server of kfg review answers, to its own page and to anybody else."""

import csv
import threading

import pytest
from queues import QUEUE, desk_of, drawn
from starlette.testclient import TestClient

from kfg.data import corrections
from kfg.errors import InputError
from kfg.reviewing.application import Application

FIRST = QUEUE[0][0]


@pytest.fixture
def root(tmp_path):
    return drawn(tmp_path / "fruit")


@pytest.fixture
def client(root):
    return TestClient(Application(desk_of(root)).asgi, base_url="http://127.0.0.1")


def decide(client, number=0, after="tomato", was=None, **options):
    return client.post("/decisions", json={"number": number, "after": after, "was": was}, **options)


def table(root):
    with open(root / "corrections.csv", newline="") as file:
        return list(csv.reader(file))


def test_a_decision_is_on_the_disk_when_it_is_answered(client, root):
    answer = decide(client).json()
    assert answer["problem"] == "" and answer["rows"][FIRST]["after"] == "tomato"
    header, row = table(root)
    assert header == ["path", "sha256", "class before", "class after", "reason", "time"]
    assert (row[0], *row[2:5]) == (FIRST, "cherry", "tomato", "looks like tomato, margin -0.97")
    assert client.get("/decisions").json()["rows"].keys() == {FIRST}
    assert decide(client, after=None, was="tomato").json()["rows"] == {}
    assert table(root) == [header]


@pytest.mark.parametrize(
    "body, status",
    [
        ("[", 400),
        ("[]", 400),
        ('{"number": 0}', 400),
        ('{"number": "0", "after": "plum", "was": null}', 404),
        ('{"number": -1, "after": "plum", "was": null}', 404),
        ('{"number": 99, "after": "plum", "was": null}', 404),
        ('{"number": 0, "after": ["plum"], "was": null}', 400),
        ("[" * 50_000, 400),
        ("x" * 200_000, 413),
    ],
)
def test_what_is_no_decision_is_refused_in_a_line(client, root, body, status):
    answer = client.post("/decisions", content=body)
    assert answer.status_code == status and "\n" not in answer.json()["error"]
    assert not (root / "corrections.csv").exists()


def test_pages_of_other_sites_can_neither_read_nor_decide(client, root):
    assert decide(client, headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 421
    assert not (root / "corrections.csv").exists()


@pytest.mark.parametrize("path", ["/large/99", "/large/../../etc/passwd", "/large/-1", "/small/cherry/0.jpg", "/x"])
def test_only_pictures_of_the_queue_are_handed_out(client, path):
    assert client.get(path).status_code == 404
    assert client.get("/large/0").headers["content-type"] == "image/jpeg"


def test_what_has_changed_or_gone_and_a_class_that_there_is_not_are_said_and_not_decided(client, root):
    (root / FIRST).write_bytes((root / "plum/0.jpg").read_bytes())
    assert "changed after this review started; start `kfg review` again" in decide(client).json()["problem"]
    (root / FIRST).unlink()
    assert "No such file" in decide(client).json()["problem"]
    assert client.get("/large/0").status_code == 200  # a grey square
    said = decide(client, number=1, after="tomatto").json()["problem"]
    assert said == "there is no class 'tomatto'; did you mean tomato?"
    assert not (root / "corrections.csv").exists()


def test_a_table_that_is_damaged_meanwhile_is_not_written_over(client, root):
    decide(client)
    file = root / "corrections.csv"
    file.write_text(file.read_text()[:-30])
    left = file.read_bytes()
    assert f"{file}:2: this line is incomplete" in decide(client, number=1).json()["problem"]
    assert file.read_bytes() == left


def test_a_class_keeps_its_last_photograph(root):
    desk = desk_of(root, queue=[(f"plum/{number}.jpg", "label", "looks like cherry", "cherry") for number in range(4)])
    for number in range(3):
        desk.decide(number, "cherry", was=None)
    with pytest.raises(InputError, match="this is the last photograph of plum"):
        desk.decide(3, "left out", was=None)
    desk.decide(3, "plum", was=None)


def test_many_tabs_at_once_lose_nothing_and_double_nothing(root):
    queue = [(f"{name}/{number}.jpg", "quality", "dark", None) for name in ("cherry", "tomato") for number in range(4)]
    clients = [TestClient(Application(desk_of(root, queue=queue)).asgi, base_url="http://127.0.0.1") for _ in range(4)]
    problems = []

    def keeps(client, first):
        for number in range(8):
            name = queue[(first + number) % 8][0].split("/")[0]
            problems.append(decide(client, (first + number) % 8, name).json()["problem"])

    threads = [threading.Thread(target=keeps, args=(client, 2 * at)) for at, client in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(problems) == {""}
    assert sorted(one.path for one in corrections.read(root / "corrections.csv", root)) == sorted(
        one[0] for one in queue
    )
