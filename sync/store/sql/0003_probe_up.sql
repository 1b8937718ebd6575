ALTER TABLE {schema}.ledger
    ADD COLUMN probe_clicks double precision,
    ADD COLUMN probe_impressions double precision,
    ADD COLUMN checked_at timestamptz;
COMMENT ON COLUMN {schema}.ledger.probe_clicks IS 'Clicks of the whole day as a probe showed them before the cell was fetched; NULL when the answer left doubts and the next run shall ask again.';
COMMENT ON COLUMN {schema}.ledger.probe_impressions IS 'As probe_clicks.';
COMMENT ON COLUMN {schema}.ledger.checked_at IS 'When a probe last showed that the cell need not be fetched.';
