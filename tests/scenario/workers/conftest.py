"""The model provider of the workers' contract tests."""

from tests.contract.crews.conftest import model, requests_of_one_test

__all__ = ["model", "requests_of_one_test"]
