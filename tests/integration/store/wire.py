"""A wire between program and Postgres that a test can cut at any message, take down, or wrap in TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from typing import Self


class Wire:
    """Forwards connections to a server on this machine until told otherwise.

    `cut_before(n)` drops the connection in place of the n-th message of the program from now on; `cut_after(n)` lets
    the server do what that message says, but drops the connection in place of its answer.
    """

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._target = port
        self._tls = tls
        self._lock = threading.Lock()
        self._before = self._after = -1
        self.messages = 0
        self.cuts = 0
        self.down = False
        self._threads: list[threading.Thread] = []
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            sockets = list(self._sockets)
        for each in sockets:
            _hang_up(each)
        for thread in self._threads:
            thread.join(10)

    def cut_before(self, number: int) -> None:
        with self._lock:
            self.messages, self._before, self._after = 0, number, -1

    def cut_after(self, number: int) -> None:
        with self._lock:
            self.messages, self._before, self._after = 0, -1, number

    def count(self) -> None:
        self.cut_before(-1)

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.down:
                client.close()
                continue
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        if self._tls is not None:
            assert client.recv(8)[4:] == b"\x04\xd2\x16\x2f", "the program asks for TLS first"
            client.sendall(b"S")
            try:
                client = self._tls.wrap_socket(client, server_side=True)
            except (ssl.SSLError, OSError):
                client.close()
                return
        server = socket.create_connection(("127.0.0.1", self._target))
        with self._lock:
            self._sockets |= {client, server}
        deaf = threading.Event()
        back = threading.Thread(target=self._answers, args=(server, client, deaf), daemon=True)
        back.start()
        self._questions(client, server, deaf)
        back.join()
        with self._lock:
            self._sockets -= {client, server}
        client.close()
        server.close()

    def _questions(self, client: socket.socket, server: socket.socket, deaf: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 20):
                with self._lock:
                    number = self.messages
                    self.messages += 1
                    before, after = number == self._before, number == self._after
                    self.cuts += before or after
                if before:
                    break
                if after:
                    deaf.set()
                server.sendall(data)
        if not deaf.is_set():
            _hang_up(client)
        _hang_up(server, socket.SHUT_WR if deaf.is_set() else socket.SHUT_RDWR)

    def _answers(self, server: socket.socket, client: socket.socket, deaf: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 20):
                if deaf.is_set():
                    break
                client.sendall(data)
        _hang_up(client)


def _hang_up(each: socket.socket, how: int = socket.SHUT_RDWR) -> None:
    with suppress(OSError):
        each.shutdown(how)
