"""The console: a web page for people, and a client of the HTTP API."""
