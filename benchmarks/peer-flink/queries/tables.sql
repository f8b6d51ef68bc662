-- The one mixed stream, as lines of JSON, and views of its three types. `events` has no watermarks: queries that do not
-- know time shall not pay for it, as they do not in Tidemill. `timed_events` is the same file with them.
CREATE TEMPORARY TABLE events (
  `type` STRING,
  `dateTime` BIGINT,
  id BIGINT,
  name STRING,
  seller BIGINT,
  auction BIGINT,
  bidder BIGINT,
  price BIGINT,
  channel STRING,
  url STRING,
  extra STRING
) WITH ('connector' = 'filesystem', 'path' = 'file://${file}', 'format' = 'json');

CREATE TEMPORARY TABLE timed_events (
  ts AS TO_TIMESTAMP_LTZ(`dateTime`, 3),
  WATERMARK FOR ts AS ts - INTERVAL '4' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'file://${file}', 'format' = 'json')
LIKE events (EXCLUDING OPTIONS);

CREATE TEMPORARY VIEW bid AS
SELECT auction, bidder, price, channel, url, TO_TIMESTAMP_LTZ(`dateTime`, 3) AS ts, extra
FROM events WHERE `type` = 'bid';

CREATE TEMPORARY VIEW timed_bid AS
SELECT auction, bidder, price, channel, url, ts, extra
FROM timed_events WHERE `type` = 'bid';

CREATE TEMPORARY VIEW timed_person AS
SELECT id, name, ts FROM timed_events WHERE `type` = 'person';

CREATE TEMPORARY VIEW timed_auction AS
SELECT seller, ts FROM timed_events WHERE `type` = 'auction';
