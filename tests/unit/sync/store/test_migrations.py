"""The list of schema versions, and what a run that has nothing to migrate does not load."""

from __future__ import annotations

import subprocess
import sys

from alembic.config import Config
from alembic.script import ScriptDirectory

from sync.store.migrate import MIGRATIONS, revisions


def test_the_file_names_tell_the_versions_that_alembic_knows_in_its_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    newest_first = [script.revision for script in scripts.walk_revisions()]
    assert revisions() == newest_first[::-1]


def test_the_store_is_ready_without_the_migration_tools() -> None:
    words = "import sys; import sync.store.postgres; print(sorted({'alembic', 'sqlalchemy'} & sys.modules.keys()))"
    shown = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
