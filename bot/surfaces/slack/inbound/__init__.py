"""From Slack to the store: what people type, press and write, over either transport."""
