"""One HTTP exchange, and nothing above it: no token, no retry, no meaning.

The narrow place through which every byte to and from Google passes, so that tests script a conversation by giving
another Transport. Whatever came as an answer is a Response, a refusal too; only what is no answer is a TransportError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

MAX_BODY_BYTES = 64 * 1024 * 1024
"""No page of 25,000 rows comes near; more is a fault or an attack."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. Header names are as they go over the wire."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back whole, decompressed. Header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class TransportError(Exception):
    """No whole answer came: no name, no connection, a broken body, a deadline. Trying again may help.

    `hopeless` says that it will not: the body is larger than anything Google sends.
    """

    def __init__(self, message: str, *, hopeless: bool = False) -> None:
        super().__init__(message)
        self.hopeless = hopeless


class Transport(Protocol):
    """Sends a request and brings the answer. Safe to use from many threads."""

    def send(self, request: Request) -> Response:
        """Raises TransportError, or Interrupted when the launch ends meanwhile."""

    def close(self) -> None: ...
