"""The store: Redis behind the port of `bot.core.ports.store`. One Lua script is one transition."""
