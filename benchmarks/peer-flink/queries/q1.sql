CREATE TEMPORARY TABLE results (
  auction BIGINT, bidder BIGINT, price DECIMAL(23, 3), ts TIMESTAMP_LTZ(3), extra STRING
) WITH ('connector' = 'checksum');

INSERT INTO results SELECT auction, bidder, 0.908 * price, ts, extra FROM bid;
