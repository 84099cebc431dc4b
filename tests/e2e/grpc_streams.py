"""Calls all kinds of methods through cupbearer. Usage: grpc_streams.py PORT MESSAGES

Prints, as JSON, what each call ended with.
"""

import json
import queue
import sys
import threading

import grpc

_, port, messages = sys.argv
messages = int(messages)
result = {}


def failure(call, finish):
    try:
        finish(call)
    except (grpc.RpcError, grpc.FutureCancelledError):
        pass
    return call.code().name


with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
    result["unary"] = channel.unary_unary("/shop.Orders/Unary")(b"one", timeout=30).decode()
    result["client"] = channel.stream_unary("/shop.Orders/Client")((b"x" for _ in range(messages)), timeout=60).decode()
    result["server"] = sum(1 for _ in channel.unary_stream("/shop.Orders/Server")(str(messages).encode(), timeout=60))

    sending = queue.Queue()
    both = channel.stream_stream("/shop.Orders/Both")(iter(sending.get, None), timeout=30)
    result["both"] = []
    for text in ["a", "b", "c"]:  # each is answered before the next is sent
        sending.put(text.encode())
        result["both"].append(next(both).decode())
    sending.put(None)
    assert list(both) == []
    result["last"] = dict(both.trailing_metadata())["x-last"]

    failed = channel.unary_unary("/shop.Orders/Fail").future(b"", timeout=30)
    result["fail"] = [failure(failed, lambda call: call.result()), failed.details()]
    late = channel.unary_unary("/shop.Orders/Wait").future(b"deadline", timeout=0.5)
    result["deadline"] = failure(late, lambda call: call.result())
    canceled = channel.unary_unary("/shop.Orders/Wait").future(b"cancellation", timeout=30)
    threading.Timer(1, canceled.cancel).start()
    result["cancellation"] = failure(canceled, lambda call: call.result())

print(json.dumps(result))
