"""Tests marked ``last`` run after all others; a fixture for tests that draw."""

import pytest


def pytest_configure(config):
    config.addinivalue_line("markers", "last: slow; runs after all other tests")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


@pytest.fixture
def project_style():
    """Draw without a screen in the project's style, and leave no figure and no setting behind."""
    import matplotlib as mpl  # slow to import: only where something is drawn
    from matplotlib import pyplot as plt

    from synthlib import plots

    with mpl.rc_context():
        mpl.use("Agg")
        plots.set_style()
        yield
        plt.close("all")
