-- Queries with at least 10 clicks in the 28 days before last, and none, or a fifth of them, in the last 28 days.
SELECT query.text AS query, earlier.clicks AS clicks_before, coalesce(recent.clicks, 0) AS clicks_now
FROM (
    SELECT query_id, sum(clicks) AS clicks
    FROM gsc.page_query
    WHERE property_id = (SELECT id FROM gsc.property WHERE url = 'sc-domain:acme.com')
      AND search_type_id = (SELECT id FROM gsc.search_type WHERE code = 'web')
      AND day > current_date - 56 AND day <= current_date - 28
    GROUP BY query_id HAVING sum(clicks) >= 10
) AS earlier
LEFT JOIN (
    SELECT query_id, sum(clicks) AS clicks
    FROM gsc.page_query
    WHERE property_id = (SELECT id FROM gsc.property WHERE url = 'sc-domain:acme.com')
      AND search_type_id = (SELECT id FROM gsc.search_type WHERE code = 'web')
      AND day > current_date - 28 AND day <= current_date
    GROUP BY query_id
) AS recent USING (query_id)
JOIN gsc.query ON query.id = earlier.query_id
WHERE coalesce(recent.clicks, 0) <= earlier.clicks / 5
ORDER BY earlier.clicks - coalesce(recent.clicks, 0) DESC
LIMIT 100;
