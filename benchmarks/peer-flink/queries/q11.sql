CREATE TEMPORARY TABLE results (
  bidder BIGINT, bids BIGINT, window_start TIMESTAMP(3), window_end TIMESTAMP(3)
) WITH ('connector' = 'checksum');

INSERT INTO results
SELECT bidder, COUNT(*), window_start, window_end
FROM TABLE(SESSION(TABLE timed_bid PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '10' SECOND))
GROUP BY bidder, window_start, window_end;
