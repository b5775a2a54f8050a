"""Packages that load their public names late still have all of them."""

import importlib
import pkgutil

import pytest

PACKAGES = ["certifier.certificate", "certifier.probe"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_there(package: str) -> None:
    """What ``__all__`` promises can be had, twice over, as the same thing."""
    module = importlib.import_module(package)
    for name in module.__all__:
        assert getattr(module, name) is getattr(module, name)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_public_name_is_that_of_a_module(package: str) -> None:
    """Importing that module would put it in the name's place."""
    module = importlib.import_module(package)
    modules = {found.name for found in pkgutil.iter_modules(module.__path__)}
    assert modules & set(module.__all__) == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_that_is_not_there_is_an_attribute_error(package: str) -> None:
    """A mistyped name ends as it does in any other module."""
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = importlib.import_module(package).nonsense
