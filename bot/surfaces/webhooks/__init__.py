"""Webhooks out: the events of runs, signed, to endpoints of other people's programs."""
