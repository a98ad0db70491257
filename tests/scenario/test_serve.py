from tests.scenario.server import Server


async def test_it_is_healthy(bare_server: Server) -> None:
    status, body = bare_server.get("/health")
    assert status == 200
    assert body["status"] == "healthy"
