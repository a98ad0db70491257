"""`crewdeck start`, `follow`, `inbox` and `answer`: a client of the API for terminals and pipes."""
