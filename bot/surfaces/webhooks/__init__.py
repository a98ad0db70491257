"""Outgoing webhooks: signed events of runs, delivered to other programs."""
