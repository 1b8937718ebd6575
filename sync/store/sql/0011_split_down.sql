ALTER TABLE {schema}.ledger DROP COLUMN split_requests;
