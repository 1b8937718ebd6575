CREATE VIEW {schema}.v_completeness AS
SELECT property.url AS property,
       search_type.code AS search_type,
       ledger.day,
       ledger.dimension_set,
       ledger.rows,
       ledger.clicks,
       whole.clicks AS total_clicks,
       ledger.impressions,
       whole.impressions AS total_impressions,
       whole.source AS totals_from,
       CASE WHEN ledger.dimension_set <> 'search-appearance' AND whole.clicks > 0
            THEN least(ledger.clicks / whole.clicks, 1) END AS click_share,
       CASE WHEN ledger.dimension_set IN ('page-query', 'query') AND search_type.code NOT IN ('discover', 'googleNews')
                 AND whole.clicks > 0
            THEN greatest(1 - ledger.clicks / whole.clicks, 0) END AS anonymised_share,
       ledger.final,
       ledger.saturated,
       ledger.quarantined,
       ledger.final AND NOT ledger.saturated AND ledger.quarantined = 0 AND ledger.empty_answers = 0 AS complete,
       ledger.fetched_at
FROM {schema}.ledger
JOIN {schema}.property ON property.id = ledger.property_id
JOIN {schema}.search_type ON search_type.id = ledger.search_type_id
LEFT JOIN {schema}.totals ON totals.property_id = ledger.property_id
                         AND totals.search_type_id = ledger.search_type_id AND totals.day = ledger.day
CROSS JOIN LATERAL (
    SELECT coalesce(totals.clicks, ledger.probe_clicks)::double precision AS clicks,
           coalesce(totals.impressions, ledger.probe_impressions)::double precision AS impressions,
           CASE WHEN totals.clicks IS NOT NULL THEN 'totals' WHEN ledger.probe_clicks IS NOT NULL THEN 'probe' END AS source
) AS whole;
COMMENT ON VIEW {schema}.v_completeness IS 'How much of each day its rows hold: sums beside the day''s totals, and what is known to be missing.';
COMMENT ON COLUMN {schema}.v_completeness.totals_from IS 'totals: the set of that name; probe: the totals seen when the cell was fetched; NULL: neither is there.';
COMMENT ON COLUMN {schema}.v_completeness.click_share IS 'Clicks of the rows by those of the day, at most 1. Clicks, because impressions by page and by property are not the same thing.';
COMMENT ON COLUMN {schema}.v_completeness.anonymised_share IS 'Clicks that no row with a query has: rare queries that Google withholds, and what the cap cut off.';
COMMENT ON COLUMN {schema}.v_completeness.complete IS 'Final, below the cap of 50,000 rows, none in quarantine, no empty answer in doubt.';

CREATE VIEW {schema}.v_completeness_by_property AS
SELECT property, search_type, dimension_set,
       min(day) AS first_day,
       max(day) AS last_day,
       count(*) AS days,
       max(day) - min(day) + 1 - count(*) AS missing_days,
       count(*) FILTER (WHERE NOT final) AS open_days,
       count(*) FILTER (WHERE saturated) AS saturated_days,
       sum(quarantined) AS quarantined_rows,
       count(*) FILTER (WHERE complete) AS complete_days,
       1 - sum(clicks) FILTER (WHERE anonymised_share IS NOT NULL)
           / nullif(sum(total_clicks) FILTER (WHERE anonymised_share IS NOT NULL), 0) AS anonymised_share
FROM {schema}.v_completeness
GROUP BY property, search_type, dimension_set;
COMMENT ON VIEW {schema}.v_completeness_by_property IS 'v_completeness in one row for each property, search type and dimension set.';
COMMENT ON COLUMN {schema}.v_completeness_by_property.missing_days IS 'Days between the first and the last that were never fetched.';
