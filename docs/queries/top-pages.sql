-- The pages with most clicks in the last 28 days, against the 28 days before.
SELECT page.text AS page, recent.clicks, recent.impressions, recent.clicks - coalesce(earlier.clicks, 0) AS more_clicks
FROM (
    SELECT page_id, sum(clicks) AS clicks, sum(impressions) AS impressions
    FROM gsc.page_query
    WHERE property_id = (SELECT id FROM gsc.property WHERE url = 'sc-domain:acme.com')
      AND search_type_id = (SELECT id FROM gsc.search_type WHERE code = 'web')
      AND day > current_date - 28 AND day <= current_date
    GROUP BY page_id ORDER BY clicks DESC LIMIT 20
) AS recent
JOIN gsc.page ON page.id = recent.page_id
LEFT JOIN (
    SELECT page_id, sum(clicks) AS clicks
    FROM gsc.page_query
    WHERE property_id = (SELECT id FROM gsc.property WHERE url = 'sc-domain:acme.com')
      AND search_type_id = (SELECT id FROM gsc.search_type WHERE code = 'web')
      AND day > current_date - 56 AND day <= current_date - 28
    GROUP BY page_id
) AS earlier USING (page_id)
ORDER BY recent.clicks DESC;
