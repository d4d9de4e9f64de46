"""What the addresses of `kfg serve` answer, over a socket."""

import csv
import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image
from served_run import COLOURS, form_of, jpeg, served, when

RED, GREEN = COLOURS["red"], COLOURS["green"]


def test_photographs_are_answered_in_order_as_predict_answers_them(server, colour_run, tmp_path):
    from kfg.exporting import classifiers

    photographs = [jpeg(colour, seed=9) for colour in COLOURS.values()]
    answer = server.post("/predict", params={"top": 2}, files=form_of(*photographs))
    assert answer.status_code == 200
    answers = answer.json()["answers"]
    assert [one["class"] for one in answers] == ["red", "green", "blue"]
    paths = [tmp_path / f"{number}.jpg" for number in range(3)]
    for path, data in zip(paths, photographs, strict=True):
        path.write_bytes(data)
    expected = list(classifiers.load(colour_run).predict(paths))
    np.testing.assert_allclose(
        [one["probability"] for one in answers], [one.probability for one in expected], atol=1e-5
    )
    assert [len(one["top"]) for one in answers] == [2, 2, 2] and "nearest" not in answers[0]
    assert answers[0]["sha256"] == hashlib.sha256(photographs[0]).hexdigest() and answers[0]["corrected"] is None


def test_one_photograph_may_come_without_a_form(server):
    answer = server.post(
        "/predict?name=a.png", content=jpeg(GREEN, format="PNG"), headers={"Content-Type": "image/png"}
    )
    (one,) = answer.json()["answers"]
    assert (one["name"], one["class"]) == ("a.png", "green")


def test_of_several_the_unreadable_are_told_and_the_others_answered(server):
    answer = server.post("/predict", files=form_of(jpeg(RED), b"<html>no photograph", jpeg(RED)[:300]))
    assert answer.status_code == 200
    good, page, cut = answer.json()["answers"]
    assert good["class"] == "red"
    assert page == {"name": "1.jpg", "error": "1.jpg: not an image but a web page (HTML) named .jpg", "status": 415}
    assert cut["status"] == 422 and cut["error"].startswith("2.jpg: truncated")
    alone = server.post("/predict", files=form_of(b"<html>no photograph"))
    assert alone.status_code == 415 and alone.json()["error"].startswith("0.jpg: not an image but a web page")
    listed = server.post("/predict?errors=listed", files=form_of(b"<html>no photograph"))
    assert listed.status_code == 200 and listed.json()["answers"][0]["status"] == 415


def test_the_nearest_training_photographs_are_named_and_shown(server, colour_run):
    own = (colour_run.parent / "photographs" / "green" / "1.jpg").read_bytes()
    (one,) = server.post("/predict?nearest=3", files=form_of(own)).json()["answers"]
    assert [near["class"] for near in one["nearest"]] == ["green"] * 3
    assert one["nearest"][0]["path"] == "green/1.jpg" and one["nearest"][0]["same"]
    assert not any(near["same"] for near in one["nearest"][1:]) and one["nearest"][0]["alike"] == pytest.approx(1)
    picture = server.get(one["nearest"][0]["picture"])
    assert Image.open(io.BytesIO(picture.content)).size == (60, 40)
    assert picture.headers["cache-control"] == "no-store"  # another run's pictures have the same addresses
    assert server.get("/training/999").status_code == 404
    assert server.get("/training/-1").status_code == server.get("/training/../split.csv").status_code == 404


def test_a_heat_map_is_red_where_the_class_is(server):
    half = Image.new("RGB", (80, 40), (10, 10, 10))
    half.paste(RED, (40, 0, 80, 40))
    file = io.BytesIO()
    half.save(file, "PNG")
    answer = server.post("/heat?class=red", files=form_of(file.getvalue()))
    shown = np.asarray(Image.open(io.BytesIO(answer.content))).astype(int)
    assert shown.shape == (40, 80, 3) and answer.headers["content-type"] == "image/jpeg"
    assert (shown[:, 60:, 0] - shown[:, 60:, 2]).mean() > 50 > (shown[:, :20, 0] - shown[:, :20, 2]).mean()
    assert server.post("/heat?class=grey", files=form_of(jpeg(RED))).status_code == 400


def test_a_correction_is_kept_replaced_and_taken_back(server, colour_run):
    photograph = jpeg(RED, seed=5)
    row = server.post(
        "/corrections?class=green", files=[("photograph", ("../=a.jpg", photograph, "image/jpeg"))]
    ).json()
    assert (row["class"], row["answered"], row["name"]) == ("green", "red", "'=a.jpg")
    folder = colour_run / "corrected"
    assert (folder / row["path"]).read_bytes() == photograph and row["path"].startswith("green/")
    row = server.post("/corrections?class=blue", files=form_of(photograph)).json()
    assert [path.parent.name for path in folder.rglob("*.jpg")] == ["blue"]
    (one,) = server.post("/predict", files=form_of(photograph)).json()["answers"]
    assert (one["class"], one["corrected"]) == ("red", "blue")
    with open(folder / "split.csv", newline="") as file:
        assert [(r["path"], r["class"], r["part"]) for r in csv.DictReader(file)] == [(row["path"], "blue", "")]
    assert server.post("/corrections", files=form_of(photograph), data={"class": "blue"}).json()["class"] == "blue"
    assert server.post("/corrections?class=grey", files=form_of(photograph)).status_code == 400
    assert server.post("/corrections?class=red", files=form_of(b"GIF89a no")).status_code == 422
    assert len(server.get("/corrections").json()["corrections"]) == 1
    assert server.delete(f"/corrections/{row['sha256']}").json() == {"removed": True}
    assert server.delete(f"/corrections/{row['sha256']}").json() == {"removed": False}
    assert not list(folder.rglob("*.jpg")) and server.get("/corrections").json()["corrections"] == []


def test_classes_health_and_description(server):
    assert server.get("/classes").json() == {"classes": list(COLOURS)}
    assert server.get("/health").json() == {"ready": True}  # all that a stranger without the token learns
    assert server.get("/state").json() == {
        "ready": True, "heat_maps": True, "nearest": {"state": "ready", "photographs": 9, "gone": 0},
    }  # fmt: skip
    described = server.get("/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    refs = {ref.split('"')[0].rsplit("/", 1)[1] for ref in json.dumps(described).split('"$ref": "')[1:]}
    assert refs == set(described["components"]["schemas"])
    page = server.get("/").text
    assert "http://" not in page.replace(str(server.base_url), "") and "https://" not in page
    assert "style=" not in page and "<script>" not in page  # the content policy would stop them


def test_examples_and_refusals_are_those_of_this_server(server, colour_run):
    from starlette.testclient import TestClient

    from kfg.serving.application import Application

    address = str(server.base_url).rstrip("/")
    page = server.get("/docs").text
    assert f"{address}/predict?top=3" in page and "127.0.0.1:8000" not in page and "Bearer" not in page
    there = TestClient(Application(colour_run, token="s3cret").asgi, base_url="http://camera-box:8001")
    there.headers["Authorization"] = "Bearer s3cret"
    assert "-H &#34;Authorization: Bearer TOKEN&#34; -F photograph=@one.jpg" in there.get("/docs").text
    open_to_all, guarded = (one.get("/openapi.json").json()["paths"] for one in (server, there))
    post = open_to_all["/predict"]["post"]
    assert {"403", "421"} <= post["responses"].keys() and "401" not in post["responses"]
    assert {"401", "403"} <= guarded["/predict"]["post"]["responses"].keys()
    assert "401" not in guarded["/health"]["get"]["responses"]
    assert {one["name"]: one["schema"].get("maximum") for one in post["parameters"]} == {
        "top": 1000, "nearest": 24, "errors": None, "name": None,
    }  # fmt: skip
    for name, most in (("top", 1000), ("nearest", 24)):
        said = server.post(f"/predict?{name}={most + 1}", files=form_of(jpeg(RED))).json()["error"]
        assert said.startswith(f"{name}: expected a whole number") and f"to {most}" in said


def test_everything_that_is_described_is_there_and_the_other_way_round(server, colour_run):
    from starlette.routing import Route

    from kfg.serving.application import Application

    application = Application(colour_run)
    routes = {
        (route.path.replace(":int", ""), method.lower())
        for route in application._routes()
        if isinstance(route, Route)
        for method in route.methods - {"HEAD"}
    }
    described = {
        (path, method) for path, methods in application.service.described["paths"].items() for method in methods
    }
    assert routes - described == {("/", "get"), ("/docs", "get"), ("/openapi.json", "get")} and described <= routes


def test_what_happened_is_counted(server):
    server.get("/no/such/page")
    server.post("/predict", files=form_of(jpeg(RED), jpeg(GREEN)))
    text = server.get("/metrics").text
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(lines['kfg_requests_total{path="other",status="404"}']) >= 1
    assert float(lines['kfg_photographs_total{result="classified"}']) >= 2
    assert float(lines["kfg_ready"]) == 1 and float(lines["kfg_requests_under_way"]) == 0
    assert float(lines['kfg_pass_photographs_bucket{le="2.0"}']) >= 1


@pytest.mark.parametrize(
    ("path", "said"),
    [("/predict?top=0", "top: expected a whole number from 1"),
     ("/predict?nearest=-1", "nearest: expected a whole number"), ("/corrections", "class: ''")],
)  # fmt: skip
def test_wrong_words_are_told(server, path, said):
    answer = server.post(path, files=form_of(jpeg(RED)))
    assert answer.status_code == 400 and answer.json()["error"].startswith(said)


def test_health_answers_before_the_model_is_there_and_photographs_are_told_to_wait(colour_run, monkeypatch):
    import threading

    from kfg.serving.application import Application
    from kfg.serving.model import Model

    go, load = threading.Event(), Model.load
    monkeypatch.setattr(Model, "load", lambda self: (go.wait(30), load(self)))
    with served(Application(colour_run)) as client:
        assert client.get("/health").json()["ready"] is False
        assert client.get("/classes").json()["classes"] == list(COLOURS)
        answer = client.post("/predict", files=form_of(jpeg(RED)))
        assert answer.status_code == 503 and int(answer.headers["retry-after"]) >= 1
        go.set()
        when(client, lambda state: state["ready"])
        assert client.post("/predict", files=form_of(jpeg(RED))).status_code == 200


def test_photographs_that_have_gone_are_told(colour_run, tmp_path):
    import shutil

    from kfg.serving.application import Application

    run = shutil.copytree(colour_run, tmp_path / "run")
    (run / "env.json").write_text(json.dumps({"photographs": str(tmp_path / "moved")}))
    with served(Application(run)) as client:
        said = when(client, lambda state: state["nearest"]["state"] == "unavailable")["nearest"]["why"]
        assert said == f"the training photographs are no longer in {tmp_path / 'moved'}"
        (one,) = client.post("/predict?nearest=3", files=form_of(jpeg(RED))).json()["answers"]
        assert one["class"] == "red" and one["nearest"] == []


def test_only_a_model_that_cannot_answer_ends_the_server(colour_run, tmp_path, monkeypatch, caplog):
    import shutil

    from kfg.serving.application import Application
    from kfg.serving.model import Model

    def fails(self):
        raise RuntimeError("an engine that is not needed")

    monkeypatch.setattr(Model, "hasten", fails)
    run = shutil.copytree(colour_run, tmp_path / "run")
    (run / "model.keras").write_bytes(b"damage")
    with served(Application(run)) as client:
        state = when(client, lambda state: state["nearest"]["state"] == "unavailable")
        assert state["ready"] and "an engine that is not needed" in caplog.text
        assert client.post("/predict", files=form_of(jpeg(GREEN))).json()["answers"][0]["class"] == "green"
        said = client.post("/heat", files=form_of(jpeg(GREEN))).json()["error"]
        assert "model.keras, which cannot be used (" in said and "not a complete Keras model" in said


def test_an_export_alone_answers_without_heat_and_neighbours(colour_run, tmp_path):
    import shutil

    from kfg.serving.application import Application

    export = shutil.copytree(colour_run / "export", tmp_path / "shipped")
    with served(Application(export)) as client:
        state = when(client, lambda state: state["nearest"]["state"] == "unavailable")
        assert state["ready"] and not state["heat_maps"] and "model.keras, which is missing" in state["nearest"]["why"]
        assert client.post("/predict", files=form_of(jpeg(GREEN))).json()["answers"][0]["class"] == "green"
        answer = client.post("/heat", files=form_of(jpeg(GREEN)))
        assert answer.status_code == 404 and "model.keras" in answer.json()["error"]
