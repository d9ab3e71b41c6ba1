"""Tests marked ``last`` run after all others."""


def pytest_configure(config):
    config.addinivalue_line("markers", "last: slow; runs after all other tests")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)
