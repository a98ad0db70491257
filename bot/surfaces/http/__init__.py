"""The HTTP surface: the API, probes and the web site that serves them."""
