"""Every trunk's weights have a licence."""

from kfg.models import backbones, licences


def test_every_trunk_has_a_licence():
    assert [name for name in backbones.BACKBONES if licences.of(name) is None] == []
    assert {licence for licence, _ in licences.PUBLISHED.values()} == {
        "apache-2.0",
        "bsd-3-clause",
        "cc-by-4.0",
        "mit",
    }
