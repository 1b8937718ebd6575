"""Runs inside the tap's environment: `python singer_launcher.py GOOGLE CONFIG`.

The tap keeps Google's addresses in two constants, and its discovery asks for days of 2021; so both are set here, and
its one report with free dimensions is selected.
"""

import json
import sys
from pathlib import Path

from singer import Catalog, metadata
from tap_google_search_console import client
from tap_google_search_console.discover import get_schemas
from tap_google_search_console.sync import sync

STREAM = "performance_report_custom"
google, config = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
client.BASE_URL, client.GOOGLE_TOKEN_URI = f"{google}/webmasters/v3", f"{google}/token"
schemas, described = get_schemas()
chosen = metadata.to_map(described[STREAM])
for place in chosen:
    chosen[place]["selected"] = True
stream = {
    "stream": STREAM,
    "tap_stream_id": STREAM,
    "schema": schemas[STREAM],
    "metadata": metadata.to_list(chosen),
}
names = ("client_id", "client_secret", "refresh_token", "site_urls", "user_agent")
with client.GoogleClient(*(config[name] for name in names)) as google_client:
    sync(google_client, config, {}, Catalog.from_dict({"streams": [stream]}))
