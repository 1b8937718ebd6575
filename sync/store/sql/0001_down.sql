DROP VIEW {schema}.v_runs, {schema}.v_coverage, {schema}.v_page_query;
DROP TABLE {schema}.quarantine, {schema}.ledger, {schema}.run, {schema}.page_query, {schema}.search_type, {schema}.device,
    {schema}.country, {schema}.query, {schema}.page, {schema}.property, {schema}.meta;
