"""The store: Redis behind the port of `bot.core.ports`. One Lua script is one transition."""
