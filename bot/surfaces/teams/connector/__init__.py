"""The Bot Connector's REST API: messages, people and files, and the tokens for it."""
