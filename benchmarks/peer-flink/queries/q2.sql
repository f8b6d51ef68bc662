CREATE TEMPORARY TABLE results (auction BIGINT, price BIGINT) WITH ('connector' = 'checksum');

INSERT INTO results SELECT auction, price FROM bid WHERE MOD(auction, 123) = 0;
