"""A crew that was changed under its run: found, told, and decided by the requester."""
