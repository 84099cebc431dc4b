"""What RFC 9113 (HTTP/2), RFC 7541 (HPACK) and RFC 9218 (priorities) ask of a server. Usage: http2_cases.py PORT

Each case has a connection of its own. Prints, as JSON, the expected outcomes of each, and what the server did.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import http2_framing_cases  # noqa: F401 (adds its cases)
import http2_message_cases  # noqa: F401
from http2_case_table import CASES
from http2_peer import Peer


def run(one):
    name, expected, act, options = one
    peer = Peer(int(sys.argv[1]), **options)
    outcome = act(peer)
    peer.socket.close()
    return name, {"expected": expected, "outcome": outcome}


names = [name for name, *_ in CASES]
assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
with ThreadPoolExecutor(8) as pool:
    print(json.dumps(dict(pool.map(run, CASES)), indent=1))
