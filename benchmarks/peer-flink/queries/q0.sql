CREATE TEMPORARY TABLE results (
  auction BIGINT, bidder BIGINT, price BIGINT, ts TIMESTAMP_LTZ(3), extra STRING
) WITH ('connector' = 'checksum');

INSERT INTO results SELECT auction, bidder, price, ts, extra FROM bid;
