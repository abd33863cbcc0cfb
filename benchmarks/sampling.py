"""Where relayd's time goes: `python -m benchmarks.sampling OUT run -c FILE` runs it under a sampler.

The kernel sends SIGPROF for every few milliseconds of processor time. Then what each thread has used since
the last time is booked to the function of ours that it is in: the innermost one, so a library's time counts
for the part of the house that called it. (A thread that samples would see the others mostly where they let go
of the GIL. Signing and committing let go of it too, and are seen since their threads still stand in there.)

Sampling starts when the file OUT with the suffix `.go` appears; at the end OUT has seconds by function.
"""

from __future__ import annotations

import atexit
import json
import signal
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType

_EVERY = 0.002  # seconds of processor time
_HOUSE = f"{Path(__file__).parent.parent / 'relayd'}/"


class Sampler:
    """Books processor seconds to places from the moment that the file `go` exists."""

    def __init__(self, go: Path) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._go = go
        self._started = False
        self._used: dict[int, float] = {}
        self._me = threading.get_ident()

    def start(self) -> None:
        signal.signal(signal.SIGPROF, self._tick)
        signal.siginterrupt(signal.SIGPROF, False)  # system calls of all threads go on as if nothing was
        signal.setitimer(signal.ITIMER_PROF, _EVERY, _EVERY)

    def _tick(self, number: int, interrupted: FrameType | None) -> None:
        frames: dict[int, FrameType | None] = {**sys._current_frames(), self._me: interrupted}
        for thread, frame in frames.items():
            try:
                now = time.clock_gettime(time.pthread_getcpuclockid(thread))
            except OSError:
                continue  # it has just ended
            spent = now - self._used.get(thread, now)
            self._used[thread] = now
            if spent and self._started:
                self.seconds[place(frame)] += spent
        self._started = self._started or self._go.exists()


def place(frame: FrameType | None) -> str:
    """`file:function` of ours; outside of them it is the event loop, or a thread of it between two calls."""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_HOUSE):
            file = name[len(_HOUSE) :].removesuffix(".py")
            return "event loop:run" if file == "app" else f"{file}:{frame.f_code.co_qualname}"
        frame = frame.f_back
    return "threads:between two calls"


if __name__ == "__main__":
    from relayd.cli import main

    out = Path(sys.argv[1])
    sampler = Sampler(out.with_suffix(".go"))
    atexit.register(lambda: out.write_text(json.dumps(sampler.seconds)))
    sampler.start()
    sys.argv = ["relayd", *sys.argv[2:]]
    main()
