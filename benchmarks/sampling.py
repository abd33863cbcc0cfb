"""Where relayd's time goes: `python -m benchmarks.sampling OUT run -c FILE` runs it under a sampler.

Every few milliseconds a thread looks at what every other thread is doing and books the time to a stage. What
runs without the GIL (signing, committing) is seen as well, since its thread still stands in that call. Booked
by the innermost frame of ours, so the time of a library counts for the part of the house that called it.
"""

from __future__ import annotations

import atexit
import json
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType

_EVERY = 0.003  # seconds
_HOUSE = f"{Path(__file__).parent.parent / 'relayd'}/"
# A thread whose innermost frame is one of these waits for work.
_WAITING = {"select", "poll", "wait", "get", "acquire", "run_forever", "_worker", "run_until_complete", "run"}


def stage(frame: FrameType | None) -> str | None:
    """The file of ours that a thread is in, None when it waits."""
    if frame is None or frame.f_code.co_name in _WAITING:
        return None
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_HOUSE):
            return name[len(_HOUSE) :].removesuffix(".py")
        if frame.f_code.co_name == "_run_once" or frame.f_back is None:
            return "event loop"
        frame = frame.f_back
    return None


def watch(out: Path) -> None:
    """Sample until the process ends; then write seconds by stage to `out`."""
    seconds: defaultdict[str, float] = defaultdict(float)

    def run() -> None:
        last = time.perf_counter()
        while True:
            time.sleep(_EVERY)
            now = time.perf_counter()
            me = threading.get_ident()
            for thread, frame in sys._current_frames().items():
                if thread != me and (found := stage(frame)):
                    seconds[found] += now - last
            last = now

    atexit.register(lambda: out.write_text(json.dumps(seconds)))
    threading.Thread(target=run, daemon=True, name="sampler").start()


if __name__ == "__main__":
    from relayd.cli import main

    watch(Path(sys.argv[1]))
    sys.argv = ["relayd", *sys.argv[2:]]
    main()
