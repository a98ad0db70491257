"""Slack's Web API: calls, their failures, and the budget for them."""
