"""The store, the receivers and the deliveries of the webhooks' contract tests."""

from tests.contract.webhooks.conftest import no_settings_of_this_machine, opens, receiver, store

__all__ = ["no_settings_of_this_machine", "opens", "receiver", "store"]
