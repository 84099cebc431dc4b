"""The table of http2_cases.py: how a case is written, and the frames that many cases send."""

from hyperframe.frame import DataFrame, RstStreamFrame

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
PRIORITY_UPDATE = 16
LARGEST = (1 << 31) - 1

CASES = []


def of_connection(*codes):
    return [f"GOAWAY {code}" for code in codes]


def of_stream(code):
    """A server may end the connection for an error of a stream (RFC 9113 section 5.4.1)."""
    return [f"RST_STREAM {code}", f"GOAWAY {code}"]


PROTOCOL_ERROR = of_connection("PROTOCOL_ERROR")
FRAME_SIZE_ERROR = of_connection("FRAME_SIZE_ERROR")
MALFORMED = [*of_stream("PROTOCOL_ERROR"), "400"]  # which may be answered before the stream ends (section 8.1.1)
CLOSED = of_stream("STREAM_CLOSED")


def case(section, what, expected, **options):
    """Adds a case, which is a function of the client that returns the outcome. `options` are those of the client."""

    def add(act):
        CASES.append((f"{section}: {what}", [expected] if isinstance(expected, str) else expected, act, options))
        return act

    return add


def sends(section, what, expected, *frames, answer=None, **options):
    """A case that only sends these frames; a function makes one with the client's encoder. `answer` says whether the
    outcome waits for the end of the response, as it does by default if one is expected."""
    waits = expected == "200" if answer is None else answer

    def act(peer):
        for each in frames:
            peer.send(each(peer) if callable(each) else each)
        return peer.outcome(answer=waits)

    case(section, what, expected, **options)(act)


def fields(*more, without=(), **request):
    """A request that ends with its head, with more fields and without some of the usual ones."""

    def make(peer):
        usual = [(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "/")]
        return peer.headers(fields=[*(field for field in usual if field[0] not in without), *more], **request)

    return make


def get(peer):
    return peer.headers()


def slow(peer):
    """A request whose response takes a while, so that it arrives after what the client sends next."""
    return peer.headers(path="/late")


def post(peer):
    return peer.headers(end=False, method="POST", path="/echo")


def reset(_):
    return RstStreamFrame(1, error_code=8)


def part(_):
    return DataFrame(1, data=b"x")


def last_part(_):
    return DataFrame(1, data=b"x", flags=["END_STREAM"])


def in_order(peer, requests):
    """The outcomes of requests on the streams 1, 3, …, each sent when the one before has ended."""
    outcomes = []
    for number, request in enumerate(requests):
        peer.send(request)
        outcomes.append(peer.outcome(1 + 2 * number))
    return outcomes
