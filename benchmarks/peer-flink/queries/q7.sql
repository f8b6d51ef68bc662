CREATE TEMPORARY TABLE results (
  auction BIGINT, price BIGINT, bidder BIGINT, ts TIMESTAMP_LTZ(3), extra STRING
) WITH ('connector' = 'checksum');

INSERT INTO results
SELECT b.auction, b.price, b.bidder, b.ts, b.extra
FROM timed_bid AS b
JOIN (
  SELECT MAX(price) AS highest, window_end
  FROM TABLE(TUMBLE(TABLE timed_bid, DESCRIPTOR(ts), INTERVAL '10' SECOND))
  GROUP BY window_start, window_end
) AS w
ON b.price = w.highest AND b.ts BETWEEN w.window_end - INTERVAL '10' SECOND AND w.window_end;
