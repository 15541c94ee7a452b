from __future__ import annotations

import pytest

from timetracer_otel import cassette, store


@pytest.mark.parametrize("package", [cassette, store])
def test_every_public_name_is_there_and_none_is_hidden_by_a_module(package: object) -> None:
    names = package.__all__  # type: ignore[attr-defined]  # a module's
    for name in names:
        assert type(getattr(package, name)).__name__ != "module"
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))


@pytest.mark.parametrize("package", [cassette, store])
def test_a_name_that_is_not_there_is_an_attribute_error(package: object) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        package.nothing  # type: ignore[attr-defined]  # what is to be refused
