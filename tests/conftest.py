"""What tests of several packages share."""

import pathlib

import pytest


@pytest.fixture(scope="session")
def real_data():
    """Return the folder of real photographs beside the checkout; skip, saying so, where it is absent."""
    folder = pathlib.Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real photographs at {folder}")
    return folder
