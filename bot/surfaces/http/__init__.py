"""The HTTP surface: what the web process answers to programs, probes and browsers."""
