-- Rows of page_query are found by their cell. A key over all their columns would be as large as the rows themselves
-- (60 to 68 bytes each, since cells arrive in the middle of it and split its pages in halves); a cell is replaced as a
-- set, under a lock of its own, and its rows are told apart before they are written.
DO $$
DECLARE
    key name := (SELECT conname FROM pg_constraint WHERE conrelid = '{schema}.page_query'::regclass AND contype = 'p');
    part regclass;
BEGIN
    IF key IS NOT NULL THEN
        EXECUTE 'ALTER TABLE {schema}.page_query DROP CONSTRAINT ' || quote_ident(key);
    END IF;
    -- Logical replication needs to know a row; without a key it is the whole row. Costs nothing where nobody replicates.
    FOR part IN SELECT relid FROM pg_partition_tree('{schema}.page_query') LOOP
        EXECUTE 'ALTER TABLE ' || part || ' REPLICA IDENTITY FULL';
    END LOOP;
END $$;
CREATE INDEX page_query_cell ON {schema}.page_query (property_id, search_type_id, day);
COMMENT ON INDEX {schema}.page_query_cell IS 'One entry for each cell, with a list of its rows: some 7 bytes a row. Further indexes only on months that are settled: docs/storage.md.';
