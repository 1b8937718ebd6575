DROP VIEW {schema}.v_totals, {schema}.v_by_page, {schema}.v_by_query, {schema}.v_by_country, {schema}.v_by_device,
    {schema}.v_by_appearance, {schema}.v_by_hour;
DROP TABLE {schema}.totals, {schema}.by_page, {schema}.by_query, {schema}.by_country, {schema}.by_device, {schema}.by_appearance,
    {schema}.by_hour, {schema}.appearance;
-- Otherwise the ledger would call rows unchanged that are gone, once the tables are made again.
DELETE FROM {schema}.ledger WHERE dimension_set <> 'page-query';
DELETE FROM {schema}.quarantine WHERE dimension_set <> 'page-query';
