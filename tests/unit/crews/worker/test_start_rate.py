"""How fast a worker starts runs."""

from crews.worker.start_rate import StartRate


def test_a_burst_then_so_many_a_second() -> None:
    now = 0.0
    rate = StartRate(rate=10, burst=8, clock=lambda: now)
    started = 0
    for _ in range(200):
        room = rate.available()
        rate.consume(room)
        started += room
        now += 0.01
    assert 8 + 19 <= started <= 8 + 20
    assert rate.available() <= 1


def test_it_says_when_to_look_again() -> None:
    now = 0.0
    rate = StartRate(rate=2, burst=1, clock=lambda: now)
    assert rate.delay() == 0
    rate.consume(rate.available())
    assert rate.delay() == 0.5
    now += 10
    assert rate.available() == 1
