"""What a schema is to have that takes long to make: indexes and constraints on tables that are filled already.

Migrations do what is done in a moment, in one transaction. A step here is looked up in the catalogue at the end of a
launch and made by `sync.store.settle` if it is missing, beside readers and writers. So a step must be one that older
programs never notice, and a release that takes one away drops it in a migration.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Index:
    """Made concurrently; of a table in months, month by month. `on` is what follows the table's name."""

    name: str
    """At most 55 characters: the index of a month adds eight."""
    table: str
    on: str


@dataclass(frozen=True, slots=True)
class Constraint:
    """Holds for new rows at once, then for the old ones: `rule` is a CHECK, or of a plain table a FOREIGN KEY."""

    name: str
    table: str
    rule: str


Step = Index | Constraint

_OF_A_PROPERTY = "FOREIGN KEY (property_id) REFERENCES {schema}.property (id) ON DELETE CASCADE"

WANTED: tuple[Step, ...] = (
    # Runs are never deleted, and nearly all are complete: what is open is found without reading them all.
    Index("run_open", "run", "(started_at) WHERE state <> 'complete'"),
    # The small lists of a property go with it, and a number that no property has would be a row that no view shows.
    # Facts and ledger have no such key: it would cost each of their rows a look-up and a lock.
    Constraint("property_access_of", "property_access", _OF_A_PROPERTY),
    Constraint("sitemap_of", "sitemap", _OF_A_PROPERTY),
    Constraint("sitemap_list_of", "sitemap_list", _OF_A_PROPERTY),
    Constraint("url_inspection_of", "url_inspection", _OF_A_PROPERTY),
)
