/**
 * Row counts and digests of every query. Those of D2 are published; its pattern queries c0-c3 are
 * provisional. Those of D3 come from `reference.ts` alone, confirmed by the loops for the queries
 * that have one: `reference-run.ts --set D3` computes them again.
 */
import type { QueryName } from './results.ts'

export interface Expected {
  readonly rows: number
  readonly digest: string
}

export const expectedD2: { readonly [Query in QueryName]: Expected } = {
  q0: { rows: 92000, digest: '73afd3cf2e479f6f' },
  q1: { rows: 92000, digest: '09c8c96b40f6f881' },
  q2: { rows: 351, digest: 'ddcab5f80c8469b1' },
  q3: { rows: 580, digest: '12292bc6849a429f' },
  q4: { rows: 5, digest: '7e8e3f0b2eaeb1c1' },
  q5: { rows: 68, digest: '04261816427a294a' },
  q6: { rows: 4044, digest: 'ba86e19283bfc744' },
  q7: { rows: 10, digest: '3993293a56220f02' },
  q8: { rows: 299, digest: 'e452383da1e1c6d7' },
  q9: { rows: 4044, digest: 'f2864705f62b9def' },
  q10: { rows: 92000, digest: 'de7edee69e196ad3' },
  q11: { rows: 3020, digest: 'b64a6b6d2caf1ef0' },
  q13: { rows: 92000, digest: 'bd4b43c92ca983af' },
  q14: { rows: 26069, digest: 'cae300e49940d736' },
  q15: { rows: 1, digest: 'c28420c5b37684d4' },
  q16: { rows: 9891, digest: 'd9f7649a24f3a60c' },
  q17: { rows: 4657, digest: 'b62a81f8797cdac4' },
  q18: { rows: 25248, digest: '3cf7a627eb8f44e9' },
  q19: { rows: 35135, digest: 'c268d5ad8f0051d9' },
  q20: { rows: 14419, digest: '907e4e5451bc1424' },
  q21: { rows: 87427, digest: '76aaa2a9b406feda' },
  q22: { rows: 92000, digest: '5e58ee0d25dec4cf' },
  q23: { rows: 147405, digest: 'f0bb7372d4386765' },
  c0: { rows: 2724, digest: '2c59e16b44682cfe' },
  c1: { rows: 14785, digest: 'b3762c9e33a98d70' },
  c2: { rows: 21358, digest: 'cbcd7bdab88dc247' },
  c3: { rows: 17968, digest: '2d93cfdb0e9df9fa' },
}

export const expectedD3: { readonly [Query in QueryName]: Expected } = {
  q0: { rows: 920000, digest: '3864dbf5950f5c61' },
  q1: { rows: 920000, digest: '7441d6d482ef079c' },
  q2: { rows: 8308, digest: '904b551eed88999f' },
  q3: { rows: 5589, digest: 'ef1c097c1c465e21' },
  q4: { rows: 5, digest: '26d56ba94a293984' },
  q5: { rows: 172, digest: 'c8dac419934dae19' },
  q6: { rows: 42037, digest: '525ffa4d0b56d65c' },
  q7: { rows: 10, digest: '11b53bc8b6149c44' },
  q8: { rows: 8714, digest: '97bbdf87ab37eac8' },
  q9: { rows: 42037, digest: '29cb9411472eebce' },
  q10: { rows: 920000, digest: '59026dc9b2710333' },
  q11: { rows: 19922, digest: 'd18191dfc016029b' },
  q13: { rows: 920000, digest: 'c35418589884b1a7' },
  q14: { rows: 260563, digest: '41b3e95d839353f7' },
  q15: { rows: 1, digest: '1bce772f0043ef5c' },
  q16: { rows: 10004, digest: '0ff184e13c708b72' },
  q17: { rows: 48148, digest: 'a25a9473845fdc36' },
  q18: { rows: 265594, digest: '68d100df5aab4f80' },
  q19: { rows: 367246, digest: 'e4b8af3b25f8a98b' },
  q20: { rows: 177120, digest: 'd7742158da2110ca' },
  q21: { rows: 874390, digest: 'd121bb5973d5b18c' },
  q22: { rows: 920000, digest: '7d9bad9450eb9e87' },
  q23: { rows: 1240663, digest: '946eed4272eb2fd4' },
  c0: { rows: 27544, digest: 'a1f89de61b8bfc7a' },
  c1: { rows: 145371, digest: '1a64ad7e09dc1926' },
  c2: { rows: 209179, digest: 'dd9c0300eb7042c1' },
  c3: { rows: 179183, digest: '49c539085457c005' },
}
