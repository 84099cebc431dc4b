"""Cases of http2_cases.py: the start of a connection, frames, HPACK and the states of a stream."""

from http2_case_table import (
    CLOSED,
    CONTINUATION,
    DATA,
    FRAME_SIZE_ERROR,
    HEADERS,
    LARGEST,
    PING,
    PROTOCOL_ERROR,
    SETTINGS,
    case,
    get,
    in_order,
    last_part,
    of_connection,
    of_stream,
    part,
    post,
    reset,
    sends,
    slow,
)
from http2_peer import PREFACE, frame
from hyperframe.frame import ContinuationFrame, DataFrame, HeadersFrame, PingFrame, PriorityFrame

PONG = PingFrame(0, b"12345678")

# The start of a connection


@case("9113 3.4", "the server's first frame is SETTINGS", "SettingsFrame")
def _(peer):
    peer.ping()
    return peer.names[0]


sends("9113 3.4", "a request right after the preface", "200", get)
sends("9113 3.4", "no SETTINGS after the preface", PROTOCOL_ERROR, PREFACE, PONG, preface=None)
sends("9113 3.4", "an ACK instead of SETTINGS", PROTOCOL_ERROR, PREFACE, frame(SETTINGS, 1, 0, b""), preface=None)

# Frames

sends("9113 4.1", "a frame of an unknown type", "200", frame(0x42, 0xFF, 0, b"ignored"), get)
sends("9113 4.1", "an unknown frame on an open stream", "200", post, frame(0x42, 0xFF, 1, b""), last_part)
sends("9113 4.1", "unknown flags", "200", frame(PING, 0xFE, 0, b"12345678"), get)
sends("9113 4.1", "the reserved bit of a stream", "200", frame(PING, 0, 1 << 31, b"12345678"), get)
sends("9113 4.2", "DATA of 16,384 bytes", "200", post, DataFrame(1, b"x" * 16_384, flags=["END_STREAM"]))
sends("9113 4.2", "DATA of 16,385 bytes", of_stream("FRAME_SIZE_ERROR"), post, frame(DATA, 1, 1, b"x" * 16_385))
sends("9113 4.2", "HEADERS of 16,385 bytes", FRAME_SIZE_ERROR, frame(HEADERS, 5, 1, b"x" * 16_385))
sends("9113 4.2", "an unknown frame of 16,385 bytes", FRAME_SIZE_ERROR, frame(0x42, 0, 0, b"x" * 16_385))


def in_pieces(first, second):
    """A head whose block is cut at these places."""

    def make(peer):
        block = peer.block()
        pieces = [HeadersFrame(1, data=block[:first], flags=["END_STREAM"]), ContinuationFrame(1, data=block[first:second])]
        last = ContinuationFrame(1, data=block[second:], flags=["END_HEADERS"])
        return b"".join(each.serialize() for each in [*pieces, last])

    return make


def unfinished(peer):
    return HeadersFrame(1, data=peer.block(), flags=["END_STREAM"])


def end_of_head(stream):
    return ContinuationFrame(stream, b"", flags=["END_HEADERS"])


sends("9113 4.3", "a head in three frames", "200", in_pieces(10, 11))
sends("9113 4.3", "a head whose first frames are empty", "200", in_pieces(0, 0))
sends("9113 4.3", "a head that PING interrupts", PROTOCOL_ERROR, unfinished, PONG)
sends("9113 4.3", "a head that an unknown frame interrupts", PROTOCOL_ERROR, unfinished, frame(0x42, 0, 1, b""))
sends("9113 4.3", "a head that another head interrupts", PROTOCOL_ERROR, unfinished, lambda peer: peer.headers(3))
sends("9113 4.3", "a head that DATA interrupts", PROTOCOL_ERROR, unfinished, part)
sends("9113 6.10", "CONTINUATION of another stream's head", PROTOCOL_ERROR, unfinished, end_of_head(3))
sends("9113 6.10", "CONTINUATION after the end of a head", PROTOCOL_ERROR, post, end_of_head(1))
sends("9113 6.10", "CONTINUATION after DATA", PROTOCOL_ERROR, post, part, end_of_head(1))
sends("9113 6.10", "CONTINUATION on stream 0", PROTOCOL_ERROR, frame(CONTINUATION, 4, 0, b""))
sends("9113 6.10", "CONTINUATION that continues nothing", PROTOCOL_ERROR, end_of_head(1))

# HPACK

SMALL = b"\x82\x86\x84\x01\x09localhost"  # GET http / and an :authority, without the dynamic table
BAD_BLOCK = of_connection("COMPRESSION_ERROR")


def block(section, what, expected, content):
    sends(f"7541 {section}", what, expected, frame(HEADERS, 5, 1, content))


block("6.2.2", "fields that enter no table", "200", SMALL)
block("6.2.3", "a field that must never be indexed", "200", SMALL + b"\x10\x01x\x01y")
block("5.2", "a value in Huffman code", "200", b"\x82\x86\x84\x01\x86\xa0\xe4\x1d\x13\x9d\x09")
block("4.2", "the largest table is chosen at the start", "200", b"\x3f\xe1\x1f" + SMALL)
block("4.2", "the table is emptied and enlarged again", "200", b"\x20\x3f\xe1\x1f" + SMALL)
block("4.2", "a larger table than the settings allow", BAD_BLOCK, b"\x3f\xff\xff\x7f" + SMALL)
block("4.2", "a change of the table after a field", BAD_BLOCK, SMALL + b"\x20")
block("6.1", "index 0", BAD_BLOCK, SMALL + b"\x80")
block("2.3.3", "an index beyond both tables", BAD_BLOCK, SMALL + b"\xff\x20")
block("2.3.3", "a name whose index is beyond both tables", BAD_BLOCK, SMALL + b"\x7f\x20\x01y")
block("5.1", "an integer that never ends", BAD_BLOCK, SMALL + b"\xff" + b"\xff" * 12)
block("5.2", "a text that is cut off", BAD_BLOCK, SMALL + b"\x00\x01x\x09y")
block("5.2", "padding of a Huffman code with zeros", BAD_BLOCK, SMALL + b"\x00\x01x\x81\x18")
block("5.2", "padding of a Huffman code that is a byte too long", BAD_BLOCK, SMALL + b"\x00\x01x\x82\x1f\xff")
block("5.2", "the end of a text in Huffman code", BAD_BLOCK, SMALL + b"\x00\x01x\x84\xff\xff\xff\xff")


@case("7541 2.3.2", "a field of the dynamic table on a later stream", "200 200")
def _(peer):
    return " ".join(in_order(peer, [peer.headers(stream, extra=[("x-long", "y" * 50)]) for stream in (1, 3)]))


@case("7541 4.2", "responses to a client without a dynamic table", "200 200", settings={1: 0})
def _(peer):
    peer.started()
    peer.decoder.max_allowed_table_size = 0  # an index into it is an error from here on
    return " ".join(in_order(peer, [peer.headers(1), peer.headers(3)]))


# The states of a stream

sends("9113 5.1", "DATA on an idle stream", PROTOCOL_ERROR, part)
sends("9113 5.1", "RST_STREAM on an idle stream", PROTOCOL_ERROR, reset)
sends("9113 5.1", "WINDOW_UPDATE on an idle stream", PROTOCOL_ERROR, lambda peer: peer.window(1, 1))
sends("9113 5.1", "PRIORITY on an idle stream", "200", PriorityFrame(3, depends_on=0, stream_weight=15), get)
sends("9113 5.1", "DATA after the end of the request", CLOSED, slow, part)
sends("9113 5.1", "a head after the end of the request", CLOSED, slow, get)
sends("9113 5.1", "WINDOW_UPDATE after the end of the request", "200", slow, lambda peer: peer.window(1, 1))
sends("9113 5.1", "PRIORITY after the end of the request", "200", slow, PriorityFrame(1, depends_on=0))
sends("9113 5.1", "RST_STREAM after the end of the request", "open", slow, reset)
# The server may already have forgotten the stream, or not yet have seen the reset: it may also ignore these two.
sends("9113 5.1", "DATA after RST_STREAM", [*CLOSED, "open"], post, reset, part)
sends("9113 5.1", "a head after RST_STREAM", [*CLOSED, "open"], slow, reset, get)
sends("9113 5.1", "WINDOW_UPDATE after RST_STREAM", "open", post, reset, lambda peer: peer.window(1, 1))
sends("9113 5.1", "PRIORITY after RST_STREAM", "open", post, reset, PriorityFrame(1, depends_on=0))
sends("9113 5.1", "RST_STREAM after RST_STREAM", "open", post, reset, reset)


def after_response(what, expected, late):
    @case("9113 5.1", f"{what} after the response", expected)
    def _(peer):
        peer.send(get(peer))
        peer.outcome()
        peer.send(late(peer))
        return peer.outcome(answer=False)


after_response("DATA", CLOSED, part)
after_response("a head", CLOSED, get)
after_response("WINDOW_UPDATE", "200", lambda peer: peer.window(1, 1))
after_response("RST_STREAM", "200", reset)
after_response("PRIORITY", "200", lambda peer: PriorityFrame(1, depends_on=0))

sends("9113 5.1.1", "a stream with an even number", PROTOCOL_ERROR, lambda peer: peer.headers(2))
sends("9113 5.1.1", "a stream below one that is open", PROTOCOL_ERROR, lambda peer: peer.headers(5, path="/late"), get)
sends("9113 5.1.1", "a head on stream 0", PROTOCOL_ERROR, lambda peer: frame(HEADERS, 5, 0, peer.block()))


@case("9113 5.1.1", "the largest number of a stream", "200")
def _(peer):
    peer.send(peer.headers(LARGEST))
    return peer.outcome(LARGEST)


def open_streams(peer, beyond):
    """Opens as many streams as the server admits, and some more. Returns their numbers."""
    peer.started()
    streams = range(1, 2 * (peer.settings[3] + beyond), 2)
    peer.send(*(peer.headers(stream, path="/late") for stream in streams))
    return streams


@case("9113 5.1.2", "one stream more than the server admits", [*of_stream("REFUSED_STREAM"), *of_stream("PROTOCOL_ERROR")])
def _(peer):
    return peer.outcome(open_streams(peer, 1)[-1])


@case("9113 5.1.2", "as many streams as the server admits", "200")
def _(peer):
    return peer.outcome(open_streams(peer, 0)[-1])


@case("9113 5.1.2", "a stream after one that was refused", "200")
def _(peer):
    streams = open_streams(peer, 1)
    for stream in streams:
        peer.outcome(stream)
    peer.send(peer.headers(streams[-1] + 2))
    return peer.outcome(streams[-1] + 2)
