"""Writing an answer to the wire, also in the ways it should not be written.

Everything that needs the connection itself is here: compression of small answers, and the scripted faults that cut,
drip, bloat or spoil a body on its way.
"""

from __future__ import annotations

import asyncio
import gzip as gzip_module
from collections.abc import Callable

from aiohttp import web

from emulator.answers import HTML, Answer
from emulator.faults import Fault

_SPOILERS: dict[str, Callable[[bytes], bytes]] = {
    "truncated-json": lambda body: body[: len(body) * 2 // 3],
    "invalid-json": lambda body: body.replace(b":", b";", 3) + b"}",
    "byte-order-mark": lambda body: b"\xef\xbb\xbf" + body,
}
_MEGABYTE = 1024 * 1024


def accepts_gzip(headers: web.BaseRequest) -> bool:
    """Google compresses only for clients that say gzip in both headers."""
    accepted = headers.headers.get("Accept-Encoding", "").lower()
    return "gzip" in accepted and "gzip" in headers.headers.get("User-Agent", "").lower()


async def deliver(
    request: web.BaseRequest, answer: Answer, fault: Fault | None, *, gzip: bool
) -> web.StreamResponse:
    """Send an answer under a fault of delivery, or plainly."""
    kind = fault.kind if fault else ""
    if kind in _SPOILERS:
        plain = gzip_module.decompress(answer.body) if answer.gzipped else answer.body
        answer = Answer(answer.status, _SPOILERS[kind](plain), answer.content_type, answer.headers)
    body, headers = (
        answer.body,
        {"Content-Type": answer.content_type, "Vary": "Origin, X-Origin", **answer.headers},
    )
    gzipped = answer.gzipped
    if gzip and not gzipped and body:
        body, gzipped = gzip_module.compress(body, 1), True
    if gzipped:
        headers["Content-Encoding"] = "gzip"
    if fault is None:
        return web.Response(status=answer.status, body=body, headers=headers)
    match kind:
        case "delay":
            await asyncio.sleep(fault.seconds or 1)
        case "headers":
            headers |= fault.headers
        case "wrong-content-type":
            headers["Content-Type"] = HTML
        case "not-gzip":
            body = gzip_module.decompress(body) if gzipped else body
            headers["Content-Encoding"] = "gzip"
        case "truncated-gzip":
            body = body[: len(body) * 2 // 3]
        case "drop-connection":
            return _abort(request, web.Response())
        case "reset-mid-body" | "incomplete-body":
            return await _cut(request, answer.status, headers, body, fault)
        case "slow-drip":
            return await _drip(request, answer.status, headers, body, fault)
        case "huge-body":
            return await _huge(request, headers, fault)
        case "endless-headers":
            return await _endless(request, fault)
        case _:
            pass
    return web.Response(status=answer.status, body=body, headers=headers)


def _abort(request: web.BaseRequest, response: web.StreamResponse) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return response


async def _cut(
    request: web.BaseRequest, status: int, headers: dict[str, str], body: bytes, fault: Fault
) -> web.StreamResponse:
    """Announce the whole body, send a part, then reset or close the connection."""
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2 if fault.after is None else fault.after])
    if fault.kind == "incomplete-body" and request.transport is not None:
        request.transport.close()
        return response
    await asyncio.sleep(0.05)  # lets the part reach the client before the reset overtakes it
    return _abort(request, response)


async def _drip(
    request: web.BaseRequest, status: int, headers: dict[str, str], body: bytes, fault: Fault
) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = len(body)
    await response.prepare(request)
    pause = 0.1 if fault.seconds is None else fault.seconds
    for start in range(0, len(body), fault.chunk):
        try:
            await response.write(body[start : start + fault.chunk])
        except ConnectionError:  # the client has had enough, which is the point
            break
        await asyncio.sleep(pause)
    return response


async def _huge(request: web.BaseRequest, headers: dict[str, str], fault: Fault) -> web.StreamResponse:
    """A body of many megabytes that is correct JSON up to its last byte."""
    plain = {name: value for name, value in headers.items() if name != "Content-Encoding"}
    response = web.StreamResponse(headers=plain)
    await response.prepare(request)
    try:
        await response.write(b'{"rows":[')
        for _ in range(fault.megabytes):
            await response.write(b" " * _MEGABYTE)
        await response.write(b"]}")
    except ConnectionError:
        return response
    return response


async def _endless(request: web.BaseRequest, fault: Fault) -> web.StreamResponse:
    """Header after header, for `seconds`, and never a body."""
    transport = request.transport
    loop = asyncio.get_running_loop()
    end = loop.time() + (5 if fault.seconds is None else fault.seconds)
    if transport is not None:
        transport.write(b"HTTP/1.1 200 OK\r\n")
    number = 0
    while transport is not None and not transport.is_closing() and loop.time() < end:
        lines = (f"X-Padding-{number + n}: {'x' * 64}\r\n" for n in range(20))
        transport.write("".join(lines).encode())
        number += 20
        await asyncio.sleep(0.01)
    return _abort(request, web.Response())
