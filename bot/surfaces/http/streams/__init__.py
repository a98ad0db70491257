"""Events for clients as they come: feeds that read them once per process, and transports that carry them."""
