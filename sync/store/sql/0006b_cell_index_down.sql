DROP INDEX {schema}.page_query_cell;
ALTER TABLE {schema}.page_query
    ADD PRIMARY KEY (property_id, search_type_id, day, page_id, query_id, country_id, device_id);
DO $$
DECLARE
    part regclass;
BEGIN
    FOR part IN SELECT relid FROM pg_partition_tree('{schema}.page_query') LOOP
        EXECUTE 'ALTER TABLE ' || part || ' REPLICA IDENTITY DEFAULT';
    END LOOP;
END $$;
