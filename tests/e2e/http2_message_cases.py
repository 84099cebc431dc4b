"""Cases of http2_cases.py: what each frame may contain, flow control, requests and priorities."""

import struct

from http2_case_table import (
    DATA,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADERS,
    LARGEST,
    MALFORMED,
    PING,
    PRIORITY,
    PRIORITY_UPDATE,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    case,
    fields,
    get,
    last_part,
    of_connection,
    of_stream,
    part,
    post,
    sends,
    slow,
)
from http2_forbidden import CASES as FORBIDDEN
from http2_peer import frame
from hyperframe.frame import DataFrame, GoAwayFrame, HeadersFrame, PingFrame, PriorityFrame, RstStreamFrame, SettingsFrame

FLOW_CONTROL_ERROR = of_connection("FLOW_CONTROL_ERROR")

# Each type of frame


def padded(data, padding):
    return DataFrame(1, data, flags=["PADDED", "END_STREAM"], pad_length=padding)


sends("9113 6.1", "DATA on stream 0", PROTOCOL_ERROR, frame(DATA, 1, 0, b"x"))
sends("9113 6.1", "DATA with padding", "200", post, padded(b"x" * 10, 200))
sends("9113 6.1", "DATA that is padding only", "200", post, padded(b"", 200))
sends("9113 6.1", "DATA with more padding than its length", PROTOCOL_ERROR, post, frame(DATA, 9, 1, b"\xffabcd"))
sends("9113 6.1", "DATA with one byte of padding too many", PROTOCOL_ERROR, post, frame(DATA, 9, 1, b"\x05abcd"))
sends("9113 6.1", "empty DATA that ends the stream", "200", post, frame(DATA, 1, 1, b""))
sends("9113 6.2", "HEADERS with padding", "200", lambda peer: HeadersFrame(1, peer.block(), flags=["END_HEADERS", "END_STREAM", "PADDED"], pad_length=99))
sends("9113 6.2", "HEADERS with a priority", "200", lambda peer: HeadersFrame(1, peer.block(), flags=["END_HEADERS", "END_STREAM", "PRIORITY"], depends_on=0, stream_weight=9))
sends("9113 6.2", "HEADERS with more padding than its length", PROTOCOL_ERROR, lambda peer: frame(HEADERS, 13, 1, b"\xff" + peer.block()))
sends("9113 6.2", "HEADERS that are shorter than a priority", [*PROTOCOL_ERROR, *FRAME_SIZE_ERROR], frame(HEADERS, 0x25, 1, b"\0\0\0"))
sends("9113 6.3", "PRIORITY on stream 0", PROTOCOL_ERROR, frame(PRIORITY, 0, 0, bytes(5)))
sends("9113 6.3", "PRIORITY of 4 bytes", of_stream("FRAME_SIZE_ERROR"), slow, frame(PRIORITY, 0, 1, bytes(4)))
sends("9113 6.4", "RST_STREAM on stream 0", PROTOCOL_ERROR, frame(RST_STREAM, 0, 0, bytes(4)))
sends("9113 6.4", "RST_STREAM of 3 bytes", FRAME_SIZE_ERROR, slow, frame(RST_STREAM, 0, 1, bytes(3)))
sends("9113 7", "RST_STREAM with an unknown code", "open", slow, RstStreamFrame(1, error_code=0x4242))


def setting(identifier, value):
    return frame(SETTINGS, 0, 0, struct.pack(">HL", identifier, value))


sends("9113 6.5", "SETTINGS on a stream", PROTOCOL_ERROR, frame(SETTINGS, 0, 1, b""))
sends("9113 6.5", "SETTINGS of 5 bytes", FRAME_SIZE_ERROR, frame(SETTINGS, 0, 0, bytes(5)))
sends("9113 6.5", "an ACK of SETTINGS that is not empty", FRAME_SIZE_ERROR, frame(SETTINGS, 1, 0, bytes(6)))
sends("9113 6.5.2", "ENABLE_PUSH of 2", PROTOCOL_ERROR, setting(2, 2))
sends("9113 6.5.2", "ENABLE_PUSH of 1", "200", setting(2, 1), get)
sends("9113 6.5.2", "MAX_CONCURRENT_STREAMS of 0", "200", setting(3, 0), get)
sends("9113 6.5.2", "INITIAL_WINDOW_SIZE of 2^31", FLOW_CONTROL_ERROR, setting(4, 1 << 31))
sends("9113 6.5.2", "INITIAL_WINDOW_SIZE of 2^31-1", "200", setting(4, LARGEST), get)
sends("9113 6.5.2", "MAX_FRAME_SIZE of 16,383", PROTOCOL_ERROR, setting(5, 16_383))
sends("9113 6.5.2", "MAX_FRAME_SIZE of 2^24", PROTOCOL_ERROR, setting(5, 1 << 24))
sends("9113 6.5.2", "MAX_FRAME_SIZE of 2^24-1", "200", setting(5, (1 << 24) - 1), get)
sends("9113 6.5.2", "MAX_HEADER_LIST_SIZE", "200", setting(6, 100_000), get)
sends("9113 6.5.2", "an unknown setting", "200", setting(0x4242, 1), get)


@case("9113 6.5.3", "each SETTINGS is acknowledged", "3")
def _(peer):
    peer.send(SettingsFrame(0, settings={4: 1000}), SettingsFrame(0, settings={4: 2000}))
    peer.read(lambda: peer.acks == 3)
    peer.ping()
    return str(peer.acks)


@case("9113 6.5.3", "of two values of a setting, the last one counts", "7 of 7 bytes")
def _(peer):
    peer.send(frame(SETTINGS, 0, 0, struct.pack(">HLHL", 4, 3, 4, 7)), peer.headers(path="/bytes?count=100"))
    return received(peer, 7)


sends("9113 6.6", "PUSH_PROMISE from a client", PROTOCOL_ERROR, slow, lambda peer: frame(PUSH_PROMISE, 4, 1, struct.pack(">L", 2) + peer.block()))


@case("9113 6.7", "PING is answered with its content", "answered")
def _(peer):
    peer.send(PingFrame(0, opaque_data=b"\0\xff34567x"))
    peer.read(lambda: peer.pongs)
    return "answered" if peer.pongs == [b"\0\xff34567x"] else str(peer.pongs)


@case("9113 6.7", "an ACK of PING is not answered", "ignored")
def _(peer):
    peer.send(PingFrame(0, opaque_data=b"unasked.", flags=["ACK"]))
    return "ignored" if peer.ping() and b"unasked." not in peer.pongs else str(peer.pongs)


sends("9113 6.7", "PING on a stream", PROTOCOL_ERROR, frame(PING, 0, 1, bytes(8)))
sends("9113 6.7", "PING of 7 bytes", FRAME_SIZE_ERROR, frame(PING, 0, 0, bytes(7)))
sends("9113 6.7", "PING of 9 bytes", FRAME_SIZE_ERROR, frame(PING, 0, 0, bytes(9)))
sends("9113 6.8", "GOAWAY on a stream", PROTOCOL_ERROR, frame(GOAWAY, 0, 1, bytes(8)))
sends("9113 6.8", "GOAWAY of 7 bytes", FRAME_SIZE_ERROR, frame(GOAWAY, 0, 0, bytes(7)))


@case("9113 6.8", "a request before GOAWAY is answered", "200")
def _(peer):
    peer.send(slow(peer), GoAwayFrame(0, last_stream_id=0, error_code=0))
    peer.read(lambda: 1 in peer.finished)
    return peer.heads[1][":status"] if 1 in peer.finished else str(peer.ended)


@case("9113 6.8", "a request before GOAWAY with an unknown code and more data is answered", "200")
def _(peer):
    peer.send(slow(peer), GoAwayFrame(0, last_stream_id=0, error_code=0x4242, additional_data=b"why"))
    peer.read(lambda: 1 in peer.finished)
    return peer.heads[1][":status"] if 1 in peer.finished else str(peer.ended)


# Flow control

sends("9113 6.9", "WINDOW_UPDATE of 3 bytes", FRAME_SIZE_ERROR, frame(WINDOW_UPDATE, 0, 0, bytes(3)))
sends("9113 6.9", "WINDOW_UPDATE of 0 on a stream", of_stream("PROTOCOL_ERROR"), slow, frame(WINDOW_UPDATE, 0, 1, bytes(4)))
sends("9113 6.9", "WINDOW_UPDATE of 0 on the connection", PROTOCOL_ERROR, frame(WINDOW_UPDATE, 0, 0, bytes(4)))
sends("9113 6.9", "the reserved bit of WINDOW_UPDATE", "200", frame(WINDOW_UPDATE, 0, 0, struct.pack(">L", 1 << 31 | 1)), get)
sends("9113 6.9.1", "a window of the connection above 2^31-1", FLOW_CONTROL_ERROR, lambda peer: peer.window(0, LARGEST))
sends("9113 6.9.1", "a window of a stream above 2^31-1", of_stream("FLOW_CONTROL_ERROR"), slow, lambda peer: peer.window(1, LARGEST))
sends("9113 6.9.1", "the largest window of the connection", "200", lambda peer: peer.window(0, LARGEST - 65_535), get)
sends("9113 6.9.2", "a change of INITIAL_WINDOW_SIZE that takes a window above 2^31-1", FLOW_CONTROL_ERROR, slow, lambda peer: peer.window(1, LARGEST - 65_535), setting(4, 65_536))


@case("9113 6.9.1", "more DATA than the windows allow", of_stream("FLOW_CONTROL_ERROR"))
def _(peer):
    peer.send(peer.headers(end=False, method="POST", path="/stuck"))
    peer.send(*[DataFrame(1, b"x" * 16_384)] * 2000)
    peer.read(lambda: 1 in peer.resets)
    return peer.outcome(answer=False)


def received(peer, count):
    """Waits for so many bytes of the response, and then for what should not arrive."""
    peer.read(lambda: len(peer.content.get(1, b"")) >= count)
    peer.ping()
    return f"{len(peer.content.get(1, b''))} of {count} bytes"


@case("9113 6.9", "an empty window holds back the content, not the head", "0 of 0 bytes after 200", settings={4: 0})
def _(peer):
    peer.send(peer.headers(path="/bytes?count=100"))
    peer.read(lambda: 1 in peer.heads)
    return f"{received(peer, 0)} after {peer.heads[1][':status']}"


@case("9113 6.9", "a window of one byte", "1 of 1 bytes", settings={4: 1})
def _(peer):
    peer.send(peer.headers(path="/bytes?count=100"))
    return received(peer, 1)


@case("9113 6.9.1", "one byte at a time", "5 of 5 bytes", settings={4: 0})
def _(peer):
    peer.send(peer.headers(path="/bytes?count=100"))
    for count in range(1, 6):
        peer.send(peer.window(1, 1))
        peer.read(lambda count=count: len(peer.content.get(1, b"")) == count)
    return received(peer, 5)


@case("9113 6.9.2", "INITIAL_WINDOW_SIZE changes the windows of open streams", "60 of 60 bytes", settings={4: 50})
def _(peer):
    peer.send(peer.headers(path="/bytes?count=100"))
    peer.read(lambda: len(peer.content.get(1, b"")) == 50)
    peer.send(setting(4, 60))
    return received(peer, 60)


@case("9113 6.9.2", "a window below zero is first filled up", "55 of 55 bytes", settings={4: 50})
def _(peer):
    peer.send(peer.headers(path="/bytes?count=100"))
    peer.read(lambda: len(peer.content.get(1, b"")) == 50)
    peer.send(setting(4, 0), peer.window(1, 49))
    received(peer, 50)
    peer.send(peer.window(1, 6))
    return received(peer, 55)


@case("9113 6.9.1", "the window of the connection limits all streams together", "65535 bytes", settings={4: LARGEST})
def _(peer):
    peer.send(peer.headers(1, path="/bytes?count=50000"), peer.headers(3, path="/bytes?count=50000"))

    def count():
        return sum(map(len, peer.content.values()))

    peer.read(lambda: count() == 65_535)
    peer.ping()
    return f"{count()} bytes"


@case("9113 4.2", "responses in frames of 16,384 bytes at most", "in order", settings={4: 1_000_000})
def _(peer):
    peer.send(peer.headers(path="/bytes?count=60000"))
    peer.read(lambda: 1 in peer.finished)
    return "in order" if peer.largest <= 16_384 and len(peer.content[1]) == 60_000 else f"{peer.largest}"


# Requests and responses


def trailers(peer, *more, end=True):
    return peer.headers(end=end, fields=[("x-sum", "1"), *more])


def with_length(length):
    return lambda peer: peer.headers(end=False, method="POST", path="/echo", extra=[("content-length", length)])


sends("9113 8.1", "trailers", "200", post, part, trailers)
sends("9113 8.1", "trailers that do not end the stream", MALFORMED, post, part, lambda peer: trailers(peer, end=False))
sends("9113 8.1", "a pseudo-header field in trailers", MALFORMED, post, part, lambda peer: trailers(peer, (":path", "/")))
sends("9113 8.1", "DATA after trailers", of_stream("STREAM_CLOSED"), post, part, trailers, part)
sends("9113 8.1.1", "less content than content-length", MALFORMED, with_length("5"), last_part, answer=True)
sends("9113 8.1.1", "more content than content-length", MALFORMED, with_length("5"), DataFrame(1, b"x" * 6, flags=["END_STREAM"]), answer=True)
sends("9113 8.1.1", "as much content as content-length", "200", with_length("5"), DataFrame(1, b"xxxxx", flags=["END_STREAM"]))
sends("9113 8.1.1", "two values of content-length", MALFORMED, fields(("content-length", "0"), ("content-length", "1")), answer=True)
sends("9113 8.2.1", "a value that begins with a space", MALFORMED, fields(("x", " 1")), answer=True)
sends("9113 8.2.1", "a value that ends with a tab", MALFORMED, fields(("x", "1\t")), answer=True)
sends("9113 8.2.1", "a name with a colon inside", MALFORMED, fields(("a:b", "1")), answer=True)
sends("9113 8.2.1", "an empty name", MALFORMED, fields(("", "1")), answer=True)
sends("9113 8.2.1", "a name with a control character", MALFORMED, fields(("a\x01b", "1")), answer=True)
sends("9113 8.2.1", "a name with a byte above 0x7F", MALFORMED, fields((b"a\xe4b", b"1")), answer=True)
sends("9113 8.2.1", "a value with a byte above 0x7F", "200", fields((b"x", b"\xe4")))
sends("9113 8.2.2", "te: trailers", "200", fields(("te", "trailers")))
sends("9113 8.2.3", "a cookie in several fields", "200", fields(("cookie", "a=1"), ("cookie", "b=2")))
sends("9113 8.3.1", "no :authority but host", "200", fields(("host", "localhost"), without=[":authority"]))
sends("9113 8.3.1", "neither :authority nor host", "400", fields(without=[":authority"]), answer=True)
sends("9113 8.3.1", "host that is not :authority", MALFORMED, fields(("host", "other.example")), answer=True)
sends("9113 8.3.1", "a user in :authority", MALFORMED, fields((":authority", "a@localhost"), without=[":authority"]), answer=True)
sends("9113 8.3.1", "a :path that begins with no slash", MALFORMED, fields((":path", "a"), without=[":path"]), answer=True)
sends("9113 8.3.1", "a :path of * with GET", MALFORMED, fields((":path", "*"), without=[":path"]), answer=True)
sends("9113 8.3.1", "two :scheme", MALFORMED, fields((":scheme", "http")), answer=True)
sends("9113 8.5", "CONNECT with :path", MALFORMED, fields((":method", "CONNECT"), without=[":method"]), answer=True)
sends("9113 8.5", "CONNECT without :authority", MALFORMED, fields((":method", "CONNECT"), without=[":method", ":scheme", ":path", ":authority"]), answer=True)

for name, forbidden in FORBIDDEN.items():
    sends("9113 8", name, MALFORMED, fields(*forbidden, without=[":method", ":scheme", ":authority", ":path"]), answer=True)


@case("9113 8.1", "a response to HEAD has no DATA", "200, no DATA")
def _(peer):
    peer.send(peer.headers(method="HEAD", path="/bytes?count=100"))
    return f"{peer.outcome()}, {'some' if 'DataFrame' in peer.names else 'no'} DATA"


@case("9113 8.1", "names in responses are in lower case, and none belongs to a connection", "in order")
def _(peer):
    peer.send(get(peer))
    peer.outcome()
    wrong = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"} & peer.heads[1].keys()
    return "in order" if not wrong and all(name == name.lower() for name in peer.heads[1]) else str(peer.heads[1])


# Priorities (RFC 9218). A server that does not know PRIORITY_UPDATE ignores it.


def update(stream, content, on=0):
    return frame(PRIORITY_UPDATE, 0, on, struct.pack(">L", stream) + content)


sends("9218 4", "priority", "200", fields(("priority", "u=1, i")))
sends("9218 4", "priority out of range", "200", fields(("priority", "u=9")))
sends("9218 4", "priority that is no dictionary", "200", fields(("priority", "=,;")))
sends("9218 2.1", "NO_RFC7540_PRIORITIES of 1", "200", get, settings={9: 1})
sends("9218 2.1", "NO_RFC7540_PRIORITIES that changes", ["200", *PROTOCOL_ERROR], setting(9, 1), get, answer=True)
sends("9218 7.1", "PRIORITY_UPDATE of an open stream", "200", slow, update(1, b"u=0"))
sends("9218 7.1", "PRIORITY_UPDATE of a stream that is opened later", "200", update(1, b"u=7, i"), get)
sends("9218 7.1", "PRIORITY_UPDATE of a stream that has ended", "200", lambda peer: (peer.send(get(peer)), peer.outcome(), update(1, b""))[-1])
sends("9218 7.1", "PRIORITY_UPDATE with a value that is no dictionary", "200", update(1, b"\x00\xff"), get)
# RFC 7540 calls it an error, RFC 9113 has no dependencies any more.
sends("9113 5.3", "PRIORITY of a stream that depends on itself", ["200", *of_stream("PROTOCOL_ERROR")], slow, PriorityFrame(1, depends_on=1), answer=True)
