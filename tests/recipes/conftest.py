"""What tests of recipes share."""

import pytest

from kfg import exporting, parity


@pytest.fixture
def without_export(monkeypatch):
    """Write no export, which is a third of a run's time, where a test looks at what was decided, trained or reported.

    Each recipe's nets are exported and checked by the tests that do without this.
    """

    def alike(*_, encoded, **__):
        return parity.Parity(0.0, dict.fromkeys(encoded, 0.0), parity.tolerance())

    monkeypatch.setattr(exporting, "save", alike)
