"""The keys and secrets of the emulated identities.

A service account has an RSA key, made when first needed and, when a folder is given, kept there, so that an emulator
and the program that writes its credential files agree without talking to each other. A user has a refresh token and a
client secret derived from the seed.
"""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from emulator.config import Account, Config


class Keys:
    """Hands out the keys of the accounts of a configuration."""

    def __init__(self, config: Config, folder: Path | None = None) -> None:
        self._seed = config.seed
        self._folder = folder
        self._keys: dict[str, rsa.RSAPrivateKey] = {}
        self._lock = threading.Lock()

    def private_key(self, account: Account) -> rsa.RSAPrivateKey:
        with self._lock:
            if account.name not in self._keys:
                self._keys[account.name] = self._load_or_make(account.name)
            return self._keys[account.name]

    def private_pem(self, account: Account) -> str:
        return _pem(self.private_key(account)).decode()

    def key_id(self, account: Account) -> str:
        numbers = self.private_key(account).public_key().public_numbers()
        return hashlib.sha256(str(numbers.n).encode()).hexdigest()[:40]

    def refresh_token(self, account: Account) -> str:
        return f"1//emulated-{self._derive('refresh', account)}"

    def client_id(self, account: Account) -> str:
        return f"{account.name}.apps.example.com"

    def client_secret(self, account: Account) -> str:
        return f"emulated-{self._derive('client', account)}"

    def _derive(self, purpose: str, account: Account) -> str:
        return hashlib.sha256(f"{self._seed}|{purpose}|{account.name}".encode()).hexdigest()[:32]

    def _load_or_make(self, name: str) -> rsa.RSAPrivateKey:
        path = self._folder / f"{name}.pem" if self._folder else None
        if path and path.exists():
            return _read(path)
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        if not path:
            return key
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
        draft.write_bytes(_pem(key))
        draft.chmod(0o600)
        try:
            path.hardlink_to(draft)  # whoever comes first decides; the other reads
        except FileExistsError:
            return _read(path)
        finally:
            draft.unlink()
        return key


def _pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _read(path: Path) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"{path} holds no RSA key")
    return key
