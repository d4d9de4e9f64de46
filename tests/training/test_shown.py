"""What is shown of a training: steps over all its epochs, the time left, how the last epoch did."""

import pytest

from kfg.training import shown


@pytest.fixture
def calls(monkeypatch):
    """Return what a training's Progress is called with."""
    found = []

    class Noted:
        def __init__(self, what):
            found.append(what)

        def __call__(self, done, total, note=""):
            found.append((done, total, note))

        def close(self):
            found.append("closed")

    monkeypatch.setattr(shown, "Progress", Noted)
    return found


def trained(callback, epochs, *, steps):
    callback.on_train_begin()
    for epoch in epochs:
        callback.on_epoch_begin(epoch)
        for batch in range(steps):
            callback.on_train_batch_begin(batch)
        callback.on_epoch_end(epoch, {"loss": 1.0, "val_accuracy": 0.25 * (epoch + 1)})
    callback.on_train_end()


def test_steps_are_counted_over_all_epochs_but_the_first_which_traces(calls):
    trained(shown.Shown(epochs=2, steps=3), range(2), steps=3)
    one, two = "epoch 1 of 2 done, validation accuracy 0.250", "epoch 2 of 2 done, validation accuracy 0.500"
    assert calls == [
        "training steps", (1, 6, ""), (2, 6, ""), (3, 6, one), (3, 6, one), (4, 6, one), (5, 6, one), (6, 6, two),
        "closed",
    ]  # fmt: skip


def test_a_resumed_training_begins_where_it_was_and_may_end_early(calls):
    trained(shown.Shown(epochs=9, steps=2), range(4, 6), steps=2)
    assert [call[:2] for call in calls[1:-1]] == [(9, 18), (10, 18), (10, 18), (11, 18), (12, 18)]
    assert calls[-1] == "closed"
