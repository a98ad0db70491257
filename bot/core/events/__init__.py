"""What happened in a run, for streams and webhooks. Pure."""
