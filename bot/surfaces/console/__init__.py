"""The console: a page for people, in the browser. It is a client of the HTTP API like any other."""
