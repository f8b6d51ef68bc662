CREATE TEMPORARY TABLE results (
  auction BIGINT,
  `day` STRING,
  bids BIGINT, bids1 BIGINT, bids2 BIGINT, bids3 BIGINT,
  min_price BIGINT, max_price BIGINT, average_price BIGINT, sum_price BIGINT,
  PRIMARY KEY (auction, `day`) NOT ENFORCED
) WITH ('connector' = 'checksum');

INSERT INTO results
SELECT
  auction,
  DATE_FORMAT(ts, 'yyyy-MM-dd'),
  COUNT(*),
  COUNT(*) FILTER (WHERE price < 10000),
  COUNT(*) FILTER (WHERE price >= 10000 AND price < 1000000),
  COUNT(*) FILTER (WHERE price >= 1000000),
  MIN(price),
  MAX(price),
  AVG(price),
  SUM(price)
FROM bid
GROUP BY auction, DATE_FORMAT(ts, 'yyyy-MM-dd');
