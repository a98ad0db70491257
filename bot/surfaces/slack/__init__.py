"""Slack: runs live in threads, and people answer there."""
