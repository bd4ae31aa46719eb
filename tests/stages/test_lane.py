"""Threads that go one after the other, as long as none of them is slow."""

import threading
from collections.abc import Callable
from functools import partial

import pytest

from gateway.lane import Lane


def do(leave: Callable[[], None]) -> str:
    """Leave, twice, and answer."""
    leave()
    leave()
    return "done"


def test_one_goes_after_the_other() -> None:
    """However many come at once, and whatever becomes of one."""
    lane, together = Lane(patience=30.0), threading.Barrier(8)
    inside, most, done = 0, 0, list[int]()

    def work(number: int, _leave: Callable[[], None]) -> None:
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
                lane.go(partial(work, number))
        else:
            lane.go(partial(work, number))

    threads = [threading.Thread(target=come, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (1, list(range(8))) == (most, sorted(done))


def test_nobody_waits_long_for_a_slow_one() -> None:
    """Others go beside it, also while it never ends; afterwards it is one after the other again."""
    lane, hangs, go_on = Lane(patience=0.01), threading.Event(), threading.Event()

    def hang(_leave: Callable[[], None]) -> None:
        hangs.set()
        go_on.wait(30)

    slow = threading.Thread(target=lane.go, args=(hang,))
    slow.start()
    assert hangs.wait(30)
    assert ["done", "done"] == [lane.go(do) for _ in range(2)]
    go_on.set()
    slow.join()

    assert lane.go(do) == "done"
    assert not lane._taken.locked()


def test_who_has_left_is_in_nobodys_way() -> None:
    """The next one goes while the first is still at what comes after."""
    lane, left, go_on = Lane(patience=30.0), threading.Event(), threading.Event()

    def stay(leave: Callable[[], None]) -> None:
        leave()
        left.set()
        go_on.wait(30)

    first = threading.Thread(target=lane.go, args=(stay,))
    first.start()
    assert left.wait(30)
    assert lane.go(do) == "done"
    go_on.set()
    first.join()
