"""An MCP server with tools whose calls show: `python mcp_server.py stdio`, or `http PORT`."""

import json
import sys
from pathlib import Path

from mcp.server.fastmcp import FastMCP

TRACE = Path("heard.jsonl")
"""In the folder of whoever started it."""


def server(name: str, port: int = 0) -> FastMCP:
    made = FastMCP(name, port=port, log_level="ERROR")

    @made.tool()
    def remote_effect(what: str) -> str:
        """Does something far away."""
        with TRACE.open("a") as file:
            file.write(json.dumps({"did": f"{name} {what}"}) + "\n")
        return f"{name} did {what}"

    @made.tool()
    def remote_failure(what: str) -> str:
        """Fails."""
        with TRACE.open("a") as file:
            file.write(json.dumps({"did": f"{name} failed {what}"}) + "\n")
        raise ValueError(f"{what} can't be done")

    return made


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        server("near").run("stdio")
    else:
        server("far", int(sys.argv[2])).run("streamable-http")
