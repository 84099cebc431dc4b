"""Runs rounds in turns, so that what disturbs the machine for a while disturbs everybody."""


def in_turns(names, rounds):
    """Yields every name once in each round, and begins each round with another one."""
    names = list(names)
    for number in range(rounds):
        first = number % len(names)
        yield from names[first:] + names[:first]
