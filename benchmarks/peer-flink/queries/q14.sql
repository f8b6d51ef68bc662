CREATE TEMPORARY TABLE results (
  auction BIGINT, bidder BIGINT, price DECIMAL(23, 3), time_type STRING, ts TIMESTAMP_LTZ(3), extra STRING, c_count BIGINT
) WITH ('connector' = 'checksum');

INSERT INTO results
SELECT
  auction,
  bidder,
  0.908 * price,
  CASE
    WHEN HOUR(ts) BETWEEN 8 AND 18 THEN 'dayTime'
    WHEN HOUR(ts) <= 6 OR HOUR(ts) >= 20 THEN 'nightTime'
    ELSE 'otherTime'
  END,
  ts,
  extra,
  count_char(extra, 'c')
FROM bid
WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000;
