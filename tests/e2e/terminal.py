"""Runs a program in a pseudo-terminal and talks to it as a person would.

    python3 terminal.py SCRIPT PROGRAM ARGUMENT...

SCRIPT is a JSON list of pairs: a regular expression that must show up on the screen after the last answer, and what
is then typed. Prints the screen, with everything that the terminal echoed, and ends as the program does; with 99
where nothing new shows up for 60 s, with 98 where the program leaves a terminal behind that echoes nothing.
"""

import json
import os
import pty
import re
import select
import sys
import termios

LIMIT_S = 60


def main():
    script = json.loads(sys.argv[1])
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(sys.argv[2], sys.argv[2:])
    seen, begin = "", 0
    while True:
        while script and (found := re.compile(script[0][0]).search(seen, begin)):
            begin = found.end()
            os.write(terminal, script.pop(0)[1].encode())
        more = read(terminal)
        if more is None:
            break
        seen += more
        sys.stdout.write(more)
        sys.stdout.flush()
    _, status = os.waitpid(pid, 0)
    if not termios.tcgetattr(terminal)[3] & termios.ECHO:
        print("\nthe terminal shows nothing any more")
        sys.exit(98)
    if script:
        sys.exit(f"\nit ended before it showed {script[0][0]!r}")
    sys.exit(os.waitstatus_to_exitcode(status))


def read(terminal):
    """What shows up next; nothing once the program has ended."""
    if not select.select([terminal], [], [], LIMIT_S)[0]:
        print(f"\nnothing new within {LIMIT_S} s", flush=True)
        os._exit(99)
    try:
        return os.read(terminal, 65536).decode(errors="replace") or None
    except OSError:  # Linux says so when the other end has closed
        return None


main()
