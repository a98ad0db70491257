"""The model provider of the workers' contract tests."""

from tests.contract.crews.conftest import model

__all__ = ["model"]
