ALTER TABLE {schema}.ledger DROP COLUMN probe_clicks, DROP COLUMN probe_impressions, DROP COLUMN checked_at;
