"""Running systems that tests share: starting one takes seconds, so each worker starts each example once."""

from collections.abc import Iterator

import pytest
from tests.support.system import System, copy_example


@pytest.fixture(scope="session")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The clinic, for tests that leave it as it is."""
    with System(copy_example("clinic", tmp_path_factory.mktemp("shared"))) as system:
        yield system


@pytest.fixture(scope="session")
def unmodified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Datasette and httpbin."""
    with System(copy_example("unmodified", tmp_path_factory.mktemp("shared"))) as system:
        yield system


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The clinic with `--watch`, for tests that edit its files and put them back."""
    with System(copy_example("clinic", tmp_path_factory.mktemp("edited")), watch=True) as system:
        yield system
