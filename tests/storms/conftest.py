"""The world of the stories of single faults."""

from tests.integration.faults.conftest import beginning, world

__all__ = ["beginning", "world"]
