"""Peers for tests: a Slack and a model provider that live on 127.0.0.1 and are spoken to over sockets."""
