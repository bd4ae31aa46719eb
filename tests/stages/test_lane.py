"""Threads that go one after the other, as long as none of them is slow."""

import threading

import pytest

from gateway.lane import Lane


def test_one_goes_after_the_other() -> None:
    """However many come at once, and whatever becomes of one."""
    lane, together = Lane(patience=30.0), threading.Barrier(8)
    inside, most, done = 0, 0, list[int]()

    def work(number: int) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        threading.Event().wait(0.002)
        inside -= 1
        done.append(number)
        if number % 2:
            raise ZeroDivisionError

    def come(number: int) -> None:
        together.wait()
        if number % 2:
            with pytest.raises(ZeroDivisionError):
                lane.go(work, number)
        else:
            lane.go(work, number)

    threads = [threading.Thread(target=come, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (1, list(range(8))) == (most, sorted(done))


def test_nobody_waits_long_for_a_slow_one() -> None:
    """Others go beside it, also while it never ends; afterwards it is one after the other again."""
    lane, hangs, go_on = Lane(patience=0.01), threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        go_on.wait(30)

    slow = threading.Thread(target=lane.go, args=(hang,))
    slow.start()
    assert hangs.wait(30)
    assert [4, 4] == [lane.go(len, "word") for _ in range(2)]
    go_on.set()
    slow.join()

    assert 4 == lane.go(len, "word")
    assert not lane._taken.locked()
