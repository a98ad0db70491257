"""Microsoft Teams: runs live in channels and chats, and people answer there."""

SURFACE = "teams"
"""Its name in the store: of places, actors and keys."""
TITLE = "Microsoft Teams"
"""Its name as people know it."""
