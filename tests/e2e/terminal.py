"""Runs a program in a pseudo-terminal and talks to it as a person would.

    python3 terminal.py SCRIPT PROGRAM ARGUMENT...

SCRIPT is a JSON list of pairs: a regular expression that must match new text on the screen, and the text that is
then typed, or resize:COLUMNSxROWS, which gives the window another size, or signal:NAME, which is sent to the program; a third element is a file that must exist
before. Prints the screen, including everything that the terminal echoed, and exits with the program's code; with 99 if
nothing new appears for 60 s, or not what is expected for 150 s, and with 98 if the program leaves the
terminal without echo.
"""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

LIMIT_S = 60
STEP_LIMIT_S = 150  # for a program that always shows something new, but not what is expected


def main():
    script = json.loads(sys.argv[1])
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(sys.argv[2], sys.argv[2:])
    seen, begin, last_step = "", 0, time.monotonic()
    while True:
        while script and (found := re.compile(script[0][0]).search(seen, begin)):
            for file in script[0][2:]:
                wait_for(file)
            begin, last_step = found.end(), time.monotonic()
            act(pid, terminal, script.pop(0)[1])
        if script and time.monotonic() - last_step > STEP_LIMIT_S:
            print(f"\nno {script[0][0]!r} within {STEP_LIMIT_S} s", flush=True)
            os._exit(99)
        more = read(terminal)
        if more is None:
            break
        seen += more
        sys.stdout.write(more)
        sys.stdout.flush()
    _, status = os.waitpid(pid, 0)
    if not termios.tcgetattr(terminal)[3] & termios.ECHO:
        print("\nthe program left the terminal without echo")
        sys.exit(98)
    if script:
        sys.exit(f"\nthe program ended before it showed {script[0][0]!r}")
    sys.exit(os.waitstatus_to_exitcode(status))


def act(pid, terminal, text):
    if text.startswith("signal:"):
        os.kill(pid, signal.Signals[text.removeprefix("signal:")])
    elif text.startswith("resize:"):
        columns, rows = map(int, text.removeprefix("resize:").split("x"))
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    else:
        os.write(terminal, text.encode())


def wait_for(file):
    deadline = time.monotonic() + LIMIT_S
    while not os.path.exists(file):
        if time.monotonic() > deadline:
            print(f"\nno {file} within {LIMIT_S} s", flush=True)
            os._exit(99)
        time.sleep(0.01)


def read(terminal):
    """The next output, or None once the program has ended."""
    if not select.select([terminal], [], [], LIMIT_S)[0]:
        print(f"\nnothing new within {LIMIT_S} s", flush=True)
        os._exit(99)
    try:
        return os.read(terminal, 65536).decode(errors="replace") or None
    except OSError:  # how Linux reports that the other end is closed
        return None


main()
