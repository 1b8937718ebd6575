"""Where fuzzing begins: one good example of each shape, from which mutations start, and the words they are made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from contract.dimension_sets import SEARCH_TYPES

_ROW: dict[str, Any] = {"clicks": 3, "impressions": 40.0, "ctr": 0.075, "position": 1.5}
_KEYS: tuple[list[Any], ...] = (
    ["https://a.example/caf%C3%A9", "two words", "usa", "MOBILE"],
    ["https://a.example/", "fra"],
    ["https://a.example/", "deu", "TABLET"],
    ["2026-11-01T01:00:00-07:00", "https://a.example/"],
    ["AMP_BLUE_LINK"],
    [],
)
_ERROR = {
    "error": {
        "code": 403,
        "message": "Search Analytics load quota exceeded.",
        "status": "PERMISSION_DENIED",
        "errors": [{"domain": "usageLimits", "reason": "quotaExceeded", "message": "x"}],
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED"}],
    }
}
_SPEC: dict[str, Any] = {
    "version": 1,
    "scheduleUid": "uid",
    "namespace": "data",
    "name": "marketing",
    "runId": "29566800",
    "slot": "2026-03-20T12:00:00Z",
    "window": {"days": 14, "dataState": "All"},
    "searchTypes": list(SEARCH_TYPES),
    "dimensionSets": ["page-query"],
    "workspaces": [
        {
            "name": "acme",
            "credentialsPath": "/secrets/acme",
            "subject": "a@b.example",
            "properties": {"include": ["*"], "exclude": []},
        }
    ],
    "destination": {"path": "/secrets/warehouse", "schemaName": "gsc"},
    "limits": {"minSuccessRatio": 0.5, "concurrency": 10, "requestsPerSecondPerProperty": 5},
}


def _bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


SEEDS: Mapping[str, list[bytes]] = {
    "pages": [
        *(
            _bytes({"rows": [{"keys": keys, **_ROW}] * 2, "responseAggregationType": "byPage"})
            for keys in _KEYS
        ),
        b"{}",
        b'\xef\xbb\xbf{"rows":[]}',
        b'{"rows":[{"keys":["\\ud800","q","usa","MOBILE"],"clicks":NaN,"impressions":1e308}]}',
    ],
    "answers": [
        _bytes(_ERROR),
        _bytes({"error": "invalid_grant", "error_description": "Token has been expired or revoked."}),
        _bytes({"access_token": "t", "expires_in": 3599}),
        _bytes({"siteEntry": [{"siteUrl": "sc-domain:a.example", "permissionLevel": "siteOwner"}]}),
        _bytes(
            {"rows": [{"keys": ["2026-03-18"], **_ROW}], "metadata": {"first_incomplete_date": "2026-03-18"}}
        ),
        b"<html>Sign in</html>",
    ],
    "specs": [_bytes(_SPEC), _bytes({**_SPEC, "window": {"days": 1}, "dryRun": True, "attempt": 3})],
}

WORDS: tuple[bytes, ...] = (
    b'"rows"', b'"keys"', b'"clicks"', b'"impressions"', b'"position"', b'"metadata"', b'"error"', b'"code"',
    b"null", b"true", b"NaN", b"-Infinity", b"1e308", b"2147483648", b"9223372036854775808", b"0.5", b"-1", b"-0.0",
    b'"\\ud800"', b'"\\u0000"', b"\xff", b"[[[[[[[[", b"{}", b"[]", b"0001-01-01", b"+14:00", b"-07:00", b"24:00",
)  # fmt: skip
