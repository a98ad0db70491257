"""How fast runs are started."""

from crews.worker.slots import StartRate


def test_a_burst_then_so_many_a_second() -> None:
    now = 0.0
    pace = StartRate(rate=10, burst=8, clock=lambda: now)
    started = 0
    for _ in range(200):
        room = pace.available()
        pace.consume(room)
        started += room
        now += 0.01
    assert 8 + 19 <= started <= 8 + 20
    assert pace.available() <= 1


def test_it_says_when_to_look_again() -> None:
    now = 0.0
    pace = StartRate(rate=2, burst=1, clock=lambda: now)
    assert pace.delay() == 0
    pace.consume(pace.available())
    assert pace.delay() == 0.5
    now += 10
    assert pace.available() == 1
