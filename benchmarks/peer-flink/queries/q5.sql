CREATE TEMPORARY TABLE results (auction BIGINT, num BIGINT, window_start TIMESTAMP(3)) WITH ('connector' = 'checksum');

CREATE TEMPORARY VIEW counts AS
SELECT auction, COUNT(*) AS num, window_start, window_end
FROM TABLE(HOP(TABLE timed_bid, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
GROUP BY auction, window_start, window_end;

INSERT INTO results
SELECT c.auction, c.num, c.window_start
FROM counts AS c
JOIN (
  SELECT MAX(num) AS most, window_start, window_end FROM counts GROUP BY window_start, window_end
) AS m
ON c.window_start = m.window_start AND c.window_end = m.window_end AND c.num >= m.most;
