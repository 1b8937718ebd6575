"""The control interface below `/_emulator/`: what a test or a person does to the emulator while it runs.

Not part of Google's API and not recorded. Everything is JSON; a wrong request is a 400 that says why.
"""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from emulator.api import Api
from emulator.config import Permission
from emulator.credentials import credentials_json, find_account
from emulator.faults import Rule

if TYPE_CHECKING:
    from emulator.server import Service

PREFIX = "/_emulator"
RULES = TypeAdapter(list[Rule])
GRANTS = TypeAdapter(dict[str, Permission])
ALL_DIMENSIONS = ("page", "query", "country", "device")


async def handle(api: Api, service: Service, request: web.Request) -> web.Response:
    """Route by method and first segment."""
    segments = [
        unquote(part)
        for part in request.raw_path.partition("?")[0].removeprefix(PREFIX).strip("/").split("/")
    ]
    try:
        text = await request.text()
        given = json.loads(text) if text.strip() else None
        result = await asyncio.to_thread(
            _act, api, service, request.method, segments, dict(request.query), given
        )
    except ValidationError as error:
        return _json({"error": str(error)}, 400)
    except (ValueError, TypeError) as error:
        return _json({"error": f"{type(error).__name__}: {error}"}, 400)
    except LookupError as error:
        return _json({"error": str(error.args[0] if error.args else error)}, 404)
    return _json(result, 200)


def _json(value: Any, status: int) -> web.Response:
    return web.json_response(value, status=status, dumps=lambda item: json.dumps(item, ensure_ascii=True))


def _act(
    api: Api, service: Service, method: str, segments: list[str], query: dict[str, str], given: Any
) -> Any:
    match (method, *segments):
        case ("GET", "health"):
            return {"status": "ok", "requests": service.journal.total}
        case ("GET", "config"):
            return api.config.model_dump(mode="json")
        case ("GET", "faults"):
            return {"rules": api.script.describe()}
        case ("POST", "faults"):
            rules = RULES.validate_python(given)
            (api.script.add if "append" in query else api.script.replace)(rules)
            return {"rules": api.script.describe()}
        case ("DELETE", "faults"):
            api.script.replace([])
            return {"rules": []}
        case ("GET", "requests"):
            entries = service.journal.entries(**query)
            return {"total": service.journal.total, "requests": entries}
        case ("DELETE", "requests"):
            service.journal.clear()
            return {"total": service.journal.total, "requests": []}
        case ("GET", "clock"):
            return {"now": api.clock.now().isoformat()}
        case ("POST", "clock"):
            _move_clock(api, given or {})
            return {"now": api.clock.now().isoformat()}
        case ("POST", "latency"):
            service.latency_ms = float(given["milliseconds"])
            return {"milliseconds": service.latency_ms}
        case ("POST", "tokens", "expire"):
            api.tokens.expire_all()
            return {}
        case ("POST", "warm"):
            wish = given or {}
            dimensions = tuple(wish.get("dimensions", ALL_DIMENSIONS))
            return {"pages": api.warm(int(wish.get("days", 14)), dimensions)}
        case ("GET", "credentials", name):
            url = query.get("url")
            if not url:
                raise ValueError("give ?url=, the address at which the client will reach the emulator")
            return credentials_json(find_account(api.config, name), api.keys, url)
        case ("POST", "accounts", name):
            return change_account(api, name, given or {})
        case _:
            raise LookupError(f"no {method} {PREFIX}/{'/'.join(segments)}")


def _move_clock(api: Api, given: dict[str, Any]) -> None:
    if unknown := set(given) - {"now", "advance"}:
        raise ValueError(f"unknown members: {sorted(unknown)}")
    if "now" in given:
        api.clock.set(None if given["now"] is None else _moment(given["now"]))
    if "advance" in given:
        api.clock.advance(float(given["advance"]))


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("now needs an offset, as in 2026-03-01T12:00:00+00:00")
    return moment


def change_account(api: Api, name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Revoke or restore an identity, or replace its grants."""
    account = find_account(api.config, name)
    if unknown := set(given) - {"revoked", "properties"}:
        raise ValueError(f"unknown members: {sorted(unknown)}")
    if "properties" in given:
        grants = GRANTS.validate_python(given["properties"])
        for url in grants:
            api.dataset.property_of(url)
        api.permissions[account.name] = grants
    if "revoked" in given:
        (api.tokens.revoked.add if given["revoked"] else api.tokens.revoked.discard)(account.name)
    return {"revoked": account.name in api.tokens.revoked, "properties": api.permissions[account.name]}
