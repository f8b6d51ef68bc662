/**
 * The generator against its published check values. `runSelfTest` returns one line per check,
 * failed ones included.
 */
import { createHash, type Hash } from 'node:crypto'
import { type Dataset, datasets } from './dataset.ts'
import { JavaRandom } from './random.ts'
import { canonicalEvents, canonicalLine, jsonLine } from './text.ts'
import { COLD_URLS, HOT_URLS } from './values.ts'

export interface SelfTestCheck {
  readonly name: string
  readonly actual: string
  readonly expected: string
}

export function runSelfTest(): SelfTestCheck[] {
  return [...randomChecks(), ...urlChecks(), ...textChecks()]
}

export function randomChecks(): SelfTestCheck[] {
  const large = seeded(123_456_789_012)
  const retry = seeded(5)
  const drawn = (draws: readonly number[]): string => draws.join(' ')
  return [
    check('seed 0, int32', seeded(0).int32(), -1155484576),
    check('seed 42, int32', seeded(42).int32(), -1170105035),
    check('seed 0, double', seeded(0).double(), 0.730967787376657),
    check('seed 7, int(100)', seeded(7).int(100), 36),
    check(
      'seed 5, int(1610612736) three times',
      drawn([retry.int(1610612736), retry.int(1610612736), retry.int(1610612736)]),
      '1568779487 379250092 189533474',
    ),
    check(
      'seed 123456789012, int32, int(1000), int(64)',
      drawn([large.int32(), large.int(1000), large.int(64)]),
      '59424925 847 33',
    ),
  ]
}

export function urlChecks(): SelfTestCheck[] {
  const url = (directories: string, query: string): string =>
    `https://www.nexmark.com/${directories}/item.htm?query=1${query}`
  const without = COLD_URLS.filter((cold) => !cold.includes('channel_id')).length
  return [
    check('HOT_URL 0', HOT_URLS[0]!, url('cozb/_r_/r_cg', '')),
    check('HOT_URL 1', HOT_URLS[1]!, url('nlmv/gcg/yzf', '')),
    check('HOT_URL 2', HOT_URLS[2]!, url('hscm/hxm/wpph', '')),
    check('HOT_URL 3', HOT_URLS[3]!, url('rppg/h__/afrw', '')),
    check('URL 0', COLD_URLS[0]!, url('xnhd/xcat/bwmn', '&channel_id=0')),
    check('URL 1', COLD_URLS[1]!, url('_jyw/rnmg/bo_e', '&channel_id=2147483648')),
    check('URL 9999', COLD_URLS[9999]!, url('nt_y/mg_/p_r', '&channel_id=253493248')),
    check('URLs without channel_id', without, 985),
  ]
}

export function textChecks(): SelfTestCheck[] {
  const d1 = hashDataset(datasets.D1)
  const d2 = hashDataset(datasets.D2)
  const disordered = hashDataset({ ...datasets.D2, name: 'D2 with G = 1000', disorder: 1000 })
  const d2All = '90588fb1d1f43a48a8bbef7b19cf00e31e3f2bf0750943e32af962d64593e714'
  return [
    check('D1 bytes', d1.bytes, 20_317_494),
    check('D1', d1.all, '307426383c96aa680511d0908eb3145f8421e9327fa07815655109c84b29a85f'),
    check(
      'D1 without channel',
      d1.plain,
      '962279deae3f2ff4f8c515c9dd579585a5f19c403087bf9dd027d25810831de4',
    ),
    check('D2 bytes', d2.bytes, 20_427_384),
    check('D2', d2.all, d2All),
    check(
      'D2 persons',
      d2.persons,
      'b9e6973fe0250574243396dbc8282d35c44adc8114f13f0828fd22b79bcdf6eb',
    ),
    check(
      'D2 auctions',
      d2.auctions,
      '680badd03fc714114cc73c1e1874a09bbffa7e3d266dd7f58446b693ff85a061',
    ),
    check('D2 bids', d2.bids, 'b103dd05a8d072ba1c4946c8045c4b4d68b982eec48865230ade6b240120bedb'),
    check(
      'D2 without channel',
      d2.plain,
      '733baad9101954f7a557eb322a16f59d6e2d656dc30eb16e4efc2b95af0d8a5e',
    ),
    check('D2 JSON bytes', d2.jsonBytes, 28_214_729),
    check('D2 JSON', d2.json, 'c51da5260c706591e64293cf773d1b5870695011d52126e0b7ae521321cecb2b'),
    check('D2 with G = 1000, sorted', disordered.all, d2All),
  ]
}

interface DatasetHashes {
  readonly bytes: number
  readonly jsonBytes: number
  readonly all: string
  readonly persons: string
  readonly auctions: string
  readonly bids: string
  /** All lines, those of bids without channel and url. */
  readonly plain: string
  readonly json: string
}

function hashDataset(dataset: Dataset): DatasetHashes {
  const all = new TextHash()
  const byType = { person: new TextHash(), auction: new TextHash(), bid: new TextHash() }
  const plain = new TextHash()
  const json = new TextHash()
  for (const { event, generator, number } of canonicalEvents(dataset)) {
    const line = canonicalLine(event, generator, number)
    all.add(line)
    byType[event.type].add(line)
    plain.add(canonicalLine(event, generator, number, { withoutChannel: true }))
    json.add(jsonLine(event))
  }
  return {
    all: all.digest(),
    persons: byType.person.digest(),
    auctions: byType.auction.digest(),
    bids: byType.bid.digest(),
    plain: plain.digest(),
    json: json.digest(),
    bytes: all.bytes,
    jsonBytes: json.bytes,
  }
}

/** SHA-256 over many short ASCII strings, handed to the hash a quarter megabyte at a time. */
class TextHash {
  bytes: number = 0
  readonly #hash: Hash = createHash('sha256')
  #pending: string[] = []
  #pendingBytes: number = 0

  add(text: string): void {
    this.#pending.push(text)
    this.#pendingBytes += text.length
    this.bytes += text.length
    if (this.#pendingBytes > 0x40000) this.#flush()
  }

  digest(): string {
    this.#flush()
    return this.#hash.digest('hex')
  }

  #flush(): void {
    this.#hash.update(this.#pending.join(''), 'latin1')
    this.#pending = []
    this.#pendingBytes = 0
  }
}

function seeded(seed: number): JavaRandom {
  const random = new JavaRandom()
  random.seed(seed)
  return random
}

function check(name: string, actual: string | number, expected: string | number): SelfTestCheck {
  return { name, actual: String(actual), expected: String(expected) }
}
