"""The real Transport: requests, with the time-outs, caps and refusals that a connector to the open internet needs.

No redirect is followed (a token must not travel to another host), proxies come from the environment, an extra
certificate authority may be trusted, the body is capped before and after decompression, and a gzip stream that ends
early is an error instead of a short page.
"""

from __future__ import annotations

import http.client
import ssl
import time
import zlib
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, cast

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from sync.errors import ConfigurationError
from sync.google.deadline import POOLS, Limits, limited
from sync.google.transport import MAX_BODY_BYTES, Request, Response, TransportError

CONNECT_SECONDS = 10.0
IDLE_SECONDS = 60.0
REQUEST_SECONDS = 150.0
CHUNK_BYTES = 1024 * 1024
USER_AGENT = "gsc-sync-operator (gzip)"
"""Google compresses only for clients that say gzip here as well as in Accept-Encoding."""


class RequestsTransport:
    """Sends over a pool of kept-alive connections."""

    def __init__(
        self,
        *,
        abort_at: Callable[[], float] = lambda: float("inf"),
        ca_file: Path | None = None,
        connections: int = 10,
        request_seconds: float = REQUEST_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        max_body_bytes: int = MAX_BODY_BYTES,
        proxies: bool = True,
    ) -> None:
        """`proxies` False: those of the environment are not used."""
        self._abort_at = abort_at
        self._request_seconds = request_seconds
        self._idle_seconds = idle_seconds
        self._max_body_bytes = max_body_bytes
        self._session = requests.Session()
        self._session.trust_env = proxies
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # An auth callable, even one that does nothing, keeps ~/.netrc from replacing the bearer token.
        self._session.auth = lambda prepared: prepared
        adapter = _Adapter(_trust(ca_file), pool_maxsize=connections)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def send(self, request: Request) -> Response:
        limits = Limits(time.monotonic() + self._request_seconds, self._idle_seconds, self._abort_at)
        limits.check()
        try:
            with limited(limits):
                return self._exchange(request)
        except requests.exceptions.SSLError as error:
            raise TransportError(
                "TLS could not be established; with a private certificate authority set GSC_SYNC_CA_FILE"
                f" ({_name(error)})",
            ) from error
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            http.client.HTTPException,
            OSError,
        ) as error:
            raise TransportError(_name(error)) from error

    def close(self) -> None:
        self._session.close()

    def _exchange(self, request: Request) -> Response:
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **request.headers}
        with self._session.request(
            request.method,
            request.url,
            headers=headers,
            data=request.body or None,
            timeout=(CONNECT_SECONDS, self._idle_seconds),
            allow_redirects=False,
            stream=True,
        ) as answer:
            body = self._read(answer)
            encoding = answer.headers.get("Content-Encoding", "").strip().lower()
            if encoding in {"gzip", "x-gzip"} and body:
                body = _inflate(body, self._max_body_bytes)
            elif encoding not in {"", "identity", "gzip", "x-gzip"}:
                raise TransportError(f"the answer came in an encoding nobody asked for ({encoding[:20]})")
            return Response(
                answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, body
            )

    def _read(self, answer: requests.Response) -> bytes:
        parts: list[bytes] = []
        size = 0
        while chunk := cast("bytes", answer.raw.read(CHUNK_BYTES, decode_content=False)):
            size += len(chunk)
            if size > self._max_body_bytes:
                raise TransportError(f"the answer is larger than {self._max_body_bytes} bytes", hopeless=True)
            parts.append(chunk)
        return b"".join(parts)


class _Adapter(HTTPAdapter):
    """Gives urllib3 our connections and our trust, with and without a proxy."""

    def __init__(self, trust: ssl.SSLContext | None, *, pool_maxsize: int) -> None:
        self._trust: dict[str, Any] = {} if trust is None else {"ssl_context": trust}
        super().__init__(pool_connections=4, pool_maxsize=pool_maxsize, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        kwargs.update(self._trust)
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        kwargs.update(self._trust)
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager


def _trust(ca_file: Path | None) -> ssl.SSLContext | None:
    """The usual authorities and one more; None leaves requests its own way (REQUESTS_CA_BUNDLE included)."""
    if ca_file is None:
        return None
    context = ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)
    try:
        context.load_verify_locations(cafile=str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"GSC_SYNC_CA_FILE names {ca_file}, which cannot be read as certificates in PEM form ({type(error).__name__}).",
        ) from error
    return context


def _inflate(body: bytes, limit: int) -> bytes:
    decoder = zlib.decompressobj(wbits=31)
    try:
        plain = decoder.decompress(body, limit)
    except zlib.error as error:
        raise TransportError("the compressed answer is damaged") from error
    if decoder.unconsumed_tail:
        raise TransportError(f"the answer is larger than {limit} bytes", hopeless=True)
    if not decoder.eof:
        raise TransportError("the compressed answer ends early")
    return plain


def _name(error: BaseException) -> str:
    """What went wrong, without the URL and addresses that urllib3 puts into its messages."""
    root: BaseException = error
    while True:
        inner = root.args[0] if root.args and isinstance(root.args[0], BaseException) else None
        reason = getattr(root, "reason", None) or inner
        if not isinstance(reason, BaseException) or reason is root:
            break
        root = reason
    detail = root.strerror if isinstance(root, OSError) and root.strerror else ""
    return f"{type(root).__name__}: {detail}" if detail else type(root).__name__
