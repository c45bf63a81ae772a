"""A process that must not be missing: started again when it dies, and replaced when it gives no sign of life.

Signs of life come by a pipe, not by the database: one that is locked keeps a healthy worker from writing to it.
"""

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence

HEART = "STARTRAIL_HEART"  # in the environment: the file descriptor that a sign of life is written to
HEALTHY = 60.0  # seconds: what lived so long and died is started again without much waiting
LOADING = 900.0  # seconds until the first sign of life: a large model is read meanwhile
SILENCE = 45.0  # seconds without a sign of life after which it hangs
LONGEST_PAUSE = (
    5.0  # with the time that a worker takes to load on a busy machine, and that for what waits, half a minute
)
PATIENCE = 8.0  # seconds that a process has to end in good order


def beat() -> None:
    """Give a sign of life, if somebody listens."""
    if handle := os.environ.get(HEART):
        try:
            os.write(int(handle), b".")
        except (OSError, ValueError):  # it waits with a full pipe, which says as much
            return


def end_with_starter() -> None:
    """Have this process told to end (SIGTERM) once whoever started it is gone, whatever it is busy with then."""
    handle = os.environ.get(HEART, "")
    if handle.isdecimal():
        threading.Thread(target=_mind, args=(int(handle),), name="starter", daemon=True).start()


def _mind(pipe: int) -> None:
    """That nobody reads from a pipe any more is told as an error, unasked."""
    poll = select.poll()
    poll.register(pipe, 0)
    if any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll()):
        os.kill(os.getpid(), signal.SIGTERM)


def keep(
    command: Sequence[str],
    stop: threading.Event,
    say: Callable[[str], None],
    *,
    silence: float = SILENCE,
    pause: float = 1.0,
) -> None:
    """Run the command until `stop`; start it again when it ends or hangs, ever more slowly if it dies young."""
    first = pause
    while not stop.is_set():
        started = time.monotonic()
        how = _watch(command, stop, silence)
        if stop.is_set():
            return
        pause = first if time.monotonic() - started > HEALTHY else pause
        say(f"The tracing worker {how}; it is started again in {pause:.0f} s.")
        stop.wait(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def _watch(command: Sequence[str], stop: threading.Event, silence: float) -> str:
    """Run it once; returns what became of it."""
    hear, speak = os.pipe()
    try:
        os.set_blocking(speak, False)
        process = subprocess.Popen(list(command), pass_fds=[speak], env={**os.environ, HEART: str(speak)})
        os.close(speak)
        quiet_until = time.monotonic() + LOADING
        while process.poll() is None:
            if stop.is_set():
                _end(process)
            elif _heard(hear):
                quiet_until = time.monotonic() + silence
            elif time.monotonic() > quiet_until:
                process.kill()
                process.wait()
                return f"gave no sign of life for {silence:.0f} s and was killed"
        return f"ended (exit {process.returncode})"
    finally:
        os.close(hear)


def _heard(pipe: int) -> bool:
    """Whether a sign of life comes within a moment. A closed pipe says nothing."""
    ready, _, _ = select.select([pipe], [], [], 0.2)
    if not ready:
        return False
    if os.read(pipe, 1024):
        return True
    time.sleep(0.2)
    return False


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
