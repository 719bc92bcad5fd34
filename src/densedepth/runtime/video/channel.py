"""Three threads in a row - one reads, this one works, one writes - that can neither run ahead nor hang."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

ROOM = 8
"""Items that may wait between two threads."""


class Channel(Generic[Item]):
    """A bounded queue that either end can close, which wakes the other."""

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._items: deque[Item] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: Item) -> bool:
        """Wait for room; False when the channel is closed and the item was not taken."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._room)
            if self._closed:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def replace(self, item: Item) -> bool:
        """Put an item in place of all that waits; False when the channel is closed."""
        with self._changed:
            if not self._closed:
                self._items.clear()
                self._items.append(item)
                self._changed.notify_all()
            return not self._closed

    def close(self) -> None:
        """Nothing more goes in; what is inside still comes out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or bool(self._items))
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item


def in_a_row(
    read: Iterable[Item],
    work: Callable[[Item], Result],
    write: Callable[[Result], None],
    stopped: Callable[[], bool],
) -> None:
    """Read, work and write at the same time: reading and writing each in a thread of its own, the work in this one.

    An error in any of the three ends all and is raised here.

    Args:
        read: where items come from; only used in the reading thread.
        work: from an item to a result.
        write: takes the results in order.
        stopped: asked before each item; when it says yes, what has been worked on is still written.
    """
    errors: list[BaseException] = []
    items, results = Channel[Item](), Channel[Result]()

    def reading() -> None:
        try:
            for item in read:
                if not items.put(item):
                    return
        except BaseException as error:  # it belongs to the thread that waits for us
            errors.append(error)
        finally:
            items.close()

    def writing() -> None:
        try:
            for result in results:
                write(result)
        except BaseException as error:  # as above
            errors.append(error)
        finally:
            results.close()

    threads = [threading.Thread(target=part, name=part.__name__, daemon=True) for part in (reading, writing)]
    for thread in threads:
        thread.start()
    try:
        for item in items:
            if stopped() or not results.put(work(item)):
                break
    finally:
        items.close()
        results.close()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
