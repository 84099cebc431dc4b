"""Other programs to measure beside cupbearer: another build of it, or a proxy that is given on the command line."""
import argparse, os, shlex

from . import cupbearer
from .parts import PLAIN, Launch, Proxy


def parse(text):
    """`NAME=CUPBEARER`, or `NAME=COMMAND` with {listen} and {upstream} in place of ports."""
    name, _, command = text.partition('=')
    words = shlex.split(command)
    if not name or not words:
        raise argparse.ArgumentTypeError(f'{text} is not NAME=COMMAND')
    program = os.path.abspath(words[0])
    if not os.access(program, os.X_OK) or os.path.isdir(program):
        raise argparse.ArgumentTypeError(f'{words[0]} is not a program')
    if len(words) == 1:
        return Proxy(name, program, cupbearer.PROXY.routes, cupbearer.configure, is_peer=False)

    def configure(path, task):
        return Launch([path, *(word.format(listen=task.port, upstream=task.api_port) for word in words[1:])])
    return Proxy(name, program, (PLAIN,), configure, is_peer=False)
