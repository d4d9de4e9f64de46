"""The model behind the server: what it answers while it is being loaded, and how its background work ends."""

import pytest

from kfg.serving import nearest, pictures
from kfg.serving.model import Model, Stopped
from kfg.serving.uploads import Upload
from kfg.web.refusals import Refusal


def test_photographs_are_refused_undecoded_while_the_model_is_loaded(tmp_path, monkeypatch):
    """Each request gets an exception of its own: a common one would keep the photographs of all of them."""
    monkeypatch.setattr(pictures, "decoded", lambda *_, **__: pytest.fail("was decoded"))
    model, refused = Model(tmp_path, most_pixels=100), []
    for ask in (model.seen, model.seen, lambda upload: model.heat(upload, 0)):
        with pytest.raises(Refusal, match="the model is being loaded") as one:
            ask(Upload("a.jpg", b"no photograph"))
        refused.append(one.value)
    assert [one.status for one in refused] == [503, 503, 503] and len(set(map(id, refused))) == 3


def test_the_end_of_the_server_ends_the_work_in_the_background(colour_run, monkeypatch):
    from kfg.exporting import classifiers

    monkeypatch.setattr(classifiers, "hasten", lambda *_: pytest.fail("the server is ending"))
    monkeypatch.setattr(nearest, "digest", lambda path: pytest.fail("the server is ending"))
    model = Model(colour_run, most_pixels=100)
    model.stop()
    model.hasten()
    model.keras, one = object(), nearest.Nearest(model)
    one.prepare()
    assert one.said == {"state": "waiting"}
    with pytest.raises(Stopped):
        nearest.training_photographs(colour_run, going_on=model.check_going_on)
