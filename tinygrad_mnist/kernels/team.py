"""A team of threads that share the pieces of one loop.

    share(piece, count, *args)        calls piece(n, *args) for each n below count

Compiled code that calls `share` is helped by threads of the team where there are any; plain Python
calls one piece after the other. Who computes a piece is left to chance, what it computes is not:
pieces write different numbers, and numbers do not depend on where a loop is cut, so that results
are the same, bit for bit, with any number of threads.

The threads are Python's, but run compiled code for ever and never ask for the interpreter's lock.
After the last piece they look out for the next for some ten microseconds, then they sleep. There
are as many of them as BLAS has besides the first; while they share, BLAS uses one in each. Whoever
calls `share` waits for nobody who has not begun a piece: where the machine is busy, he computes all
of them, and where he had to wait long for one, he does without help for a while. A second thread of
Python's that calls meanwhile computes alone.

Before the process forks the team goes home; the process itself calls it again, a child computes
alone until its `set_num_threads` says otherwise.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from . import dispatch
from .locks import held_through_fork

MOST: Final = 64
"""Threads there may be in a team."""
PROCESSORS: Final = 1024
"""Those of higher numbers are left alone."""
WORDS: Final = 72 + MOST
OPEN, LATEST, NEXT, ACTIVE, CODE, GIVEN, COUNT, HELPERS, FAILED = 0, 1, 8, 16, 24, 25, 26, 27, 28
LOCK, REST, PENALTY, AVOIDED, SLEEPING, PRESENT, LEAVING = 32, 33, 34, 35, 40, 41, 42
WORTH, SEMAPHORE, ALLOWED, HELPER = 43, 48, 56, 72
"""Places of the words that the threads read and write; those that many write lie apart.

OPEN is the number of the loop that is shared now, 0 where none is, LATEST of the last; NEXT is its
next piece; ACTIVE how many helpers look at it; CODE, GIVEN, COUNT say what its pieces are; HELPERS
how many may help. LOCK is 1 while somebody shares; REST how many loops are to be computed alone.
SLEEPING of the helpers PRESENT wait for the SEMAPHORE. ALLOWED has a bit for each processor;
helpers, whose ids begin at HELPER, keep off the one AVOIDED, less 1, where he computes who shares:
some systems wake them there. WORTH is what `worth` tells.
"""

_memory: Final = (ctypes.c_int64 * (WORDS + 8))()
ctypes.pythonapi.Py_IncRef(ctypes.py_object(_memory))  # threads use it until the process ends
ADDRESS: Final = (ctypes.addressof(_memory) + 63) // 64 * 64
_words: Final = (ctypes.c_int64 * WORDS).from_address(ADDRESS)
LEAST: Final = 1 << 17
"""Multiplications worth a piece of their own, where nobody measured: some microseconds."""
_words[WORTH] = LEAST


def share(piece: Callable[..., Any], count: int, *args: Any) -> None:
    """Call piece(n, *args) for each n below count, in any order and at the same time."""
    for n in range(count):
        piece(n, *args)


_FEW: Final = 8
"""Pieces of a loop, at most: some for each thread, so that none waits long for another."""


def worth() -> int:
    """Multiplications worth a piece of their own on this machine, as `piece_size` measures them."""
    return _words[WORTH]


def set_worth(multiplications: int) -> None:
    """Cut loops into pieces of so many from now on, and share them whoever waited long before."""
    _words[WORTH], _words[REST], _words[PENALTY] = multiplications, 0, 0


@dispatch.base.part()
def pieces(multiplications: int, most: int) -> int:
    """Into how many pieces a loop of so many multiplications is cut, but no more than `most`.

    For loops whose numbers are the same wherever they are cut: machines differ in `worth`.
    """
    return cut(multiplications, worth(), most)


@dispatch.base.part()
def cut(multiplications: int, least: int, most: int) -> int:
    """Into how many pieces of at least so many multiplications, but no more than `most`."""
    return max(1, min(multiplications // least, most, _FEW))


@dispatch.base.part()
def bounds(n: int, count: int, size: int) -> tuple[int, int]:
    """Where piece n of `count` begins and ends, of a loop that goes round `size` times."""
    return n * size // count, (n + 1) * size // count


class _Team:
    """The helpers: how many are wanted, and those that are there."""

    def __init__(self) -> None:
        self.work: Callable[[], Callable[[int], None]] | None = None
        """Gives what a helper does, once there is to be one."""
        self.piece_size: Callable[[int], int] = lambda _: LEAST
        self.wanted = 0
        self.threads: list[threading.Thread] = []
        self.lock = held_through_fork(threading.RLock())

    def call(
        self,
        work: Callable[[], Callable[[int], None]],
        piece_size: Callable[[int], int],
        threads: int,
    ) -> None:
        """Have helpers for so many threads in all."""
        with self.lock:
            self.work, self.piece_size = work, piece_size
            self.wanted = min(threads, MOST) - 1
            if len(self.threads) > self.wanted:
                self.send_home()
            for n in os.sched_getaffinity(0):
                if n < PROCESSORS:
                    _words[ALLOWED + n // 64] |= 1 << n % 64
            while len(self.threads) < self.wanted:
                number = len(self.threads)
                helper = threading.Thread(
                    target=work(), args=(number,), name=f"team-{number}", daemon=True
                )
                helper.start()
                self.threads.append(helper)
                _words[HELPER + number] = helper.native_id or 0
            _words[AVOIDED] = 0
            _words[PRESENT] = len(self.threads)
            set_worth(piece_size(threads))

    def resize(self, threads: int) -> None:
        """Have helpers for so many threads, if there ever were some to be called."""
        if self.work is not None:
            self.call(self.work, self.piece_size, threads)

    def send_home(self) -> None:
        """Let the helpers finish what they are at, and end."""
        with self.lock:
            _words[PRESENT], _words[LEAVING] = 0, 1
            for _ in self.threads:
                _libc.sem_post(ADDRESS + 8 * SEMAPHORE)
            for helper in self.threads:
                helper.join()
            self.threads.clear()
            _words[LEAVING] = 0

    def call_again(self) -> None:
        """Have as many helpers as before."""
        self.resize(self.wanted + 1)

    def begin_anew(self) -> None:
        """In a child of the process: nobody is there, nobody shares."""
        self.wanted = 0
        self.threads.clear()
        _prepare()


def _prepare() -> None:
    worth = _words[WORTH]
    ctypes.memset(ADDRESS, 0, 8 * WORDS)
    _words[WORTH] = worth
    _libc.sem_init(ADDRESS + 8 * SEMAPHORE, 0, 0)


is_possible: Final = sys.platform == "linux"
"""Elsewhere semaphores have other names: there everybody computes alone."""

if is_possible:
    _libc: Final = ctypes.CDLL(None)
    _libc.sem_init.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint]
    _libc.sem_post.argtypes = [ctypes.c_void_p]
    _prepare()

_team: Final = _Team()
call, resize = _team.call, _team.resize


def is_called() -> bool:
    """Whether helpers were called, be there any or not."""
    return _team.work is not None


send_home = _team.send_home

if is_possible:
    atexit.register(_team.send_home)  # before their code goes
    os.register_at_fork(
        before=_team.send_home,
        after_in_parent=_team.call_again,
        after_in_child=_team.begin_anew,
    )
