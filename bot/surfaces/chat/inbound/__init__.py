"""From a chat platform to the store: commands, presses, replies."""
