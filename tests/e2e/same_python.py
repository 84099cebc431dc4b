"""Sends requests with `requests` or `httpx`, also over HTTP/2, and prints what came back.

Standard input: {"client", "base", "ca", "rows": [{"name", "method", "target", "headers", "body", "chunked"}]}, bodies
in base64. Standard output: one answer a row. Nothing is decoded, followed or added by a configuration.
"""

import base64
import json
import ssl
import sys


def pieces(body):
    for start in range(0, len(body), 1000):
        yield body[start : start + 1000]


def content_of(row):
    if row["body"] is None:
        return None
    body = base64.b64decode(row["body"])
    return pieces(body) if row.get("chunked") else body


def answer(status, reason, headers, body):
    return {
        "status": status,
        "reason": reason,
        "headers": [[name, value] for name, value in headers],
        "body": base64.b64encode(body).decode(),
    }


def with_requests(base, rows):
    import requests

    session = requests.Session()
    session.trust_env = False
    for row in rows:
        session.cookies.clear()
        with session.request(
            row["method"],
            base + row["target"],
            headers=dict(row["headers"]),
            data=content_of(row),
            allow_redirects=False,
            stream=True,
            timeout=60,
        ) as response:
            raw = response.raw
            headers = raw._original_response.msg.items()  # the only one in order, with all lines
            yield answer(raw.status, raw.reason, headers, raw.read(decode_content=False))


def with_httpx(base, rows, **options):
    import httpx

    with httpx.Client(trust_env=False, timeout=60, **options) as client:
        for row in rows:
            client.cookies.clear()
            request = client.build_request(
                row["method"],
                base + row["target"],
                headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in row["headers"]],
                content=content_of(row),
            )
            response = client.send(request, stream=True, follow_redirects=False)
            body = b"".join(response.iter_raw())
            response.close()
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw]
            yield answer(response.status_code, response.reason_phrase, headers, body)


def main():
    job = json.load(sys.stdin)
    client = {"requests": with_requests, "httpx": with_httpx, "httpx2": with_httpx}[job["client"]]
    options = {"http1": False, "http2": True} if job["client"] == "httpx2" else {}
    if job.get("ca"):
        options["verify"] = ssl.create_default_context(cadata=job["ca"])
    for row in job["rows"]:
        try:
            (one,) = client(job["base"], [row], **options)
        except Exception as error:  # what a client cannot read is an answer too
            one = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(one))


main()
