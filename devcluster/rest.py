"""The API server by plain HTTPS: for the handful of calls that starting a cluster takes. Tests use a real client."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class RefusedError(RuntimeError):
    """The server said no; `code` is the HTTP status."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Rest:
    url: str
    ca: Path
    certificate: Path
    key: Path

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, timeout: float = 5) -> Any:
        """The parsed answer (text when it is none of JSON). Raises RefusedError, or OSError when nobody answers."""
        context = ssl.create_default_context(cafile=str(self.ca))
        context.load_cert_chain(self.certificate, self.key)
        handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)]
        opener = urllib.request.build_opener(*handlers)
        request = urllib.request.Request(  # noqa: S310 - our own https address
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Accept": "application/json"},
        )
        try:
            with opener.open(request, timeout=timeout) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                raise RefusedError(error.code, error.read().decode(errors="replace")) from None
        return json.loads(text) if text.startswith("{") else text

    def ready(self) -> bool:
        try:
            return bool(self.call("GET", "/readyz", timeout=2) == "ok")
        except (OSError, RefusedError):
            return False

    def exists(self, path: str) -> bool:
        try:
            self.call("GET", path)
        except RefusedError as error:
            if error.code == 404:
                return False
            raise
        return True

    def create(self, path: str, body: dict[str, Any]) -> None:
        """An object that is there already is what was wanted (a start that died half way and is done again)."""
        try:
            self.call("POST", path, body)
        except RefusedError as error:
            if error.code != 409:
                raise
