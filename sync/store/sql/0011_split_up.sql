-- Without a rewrite of the table, as a default that is a constant needs none.
ALTER TABLE {schema}.ledger ADD COLUMN split_requests integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN {schema}.ledger.split_requests IS 'How many requests might be spent on reading it in parts when it was fetched last.';

-- Of those that were split, as many as they took.
UPDATE {schema}.ledger SET split_requests = pages WHERE parts > 0;
