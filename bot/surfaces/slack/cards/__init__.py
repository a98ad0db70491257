"""What people see in Slack, as dicts. Pure: no SDK, no I/O."""
