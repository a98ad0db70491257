"""How Crewdeck talks to Redis: addresses, connections, sentinels, clusters, and errors."""
