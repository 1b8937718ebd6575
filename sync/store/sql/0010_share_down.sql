CREATE OR REPLACE VIEW {schema}.v_completeness_by_property AS
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
