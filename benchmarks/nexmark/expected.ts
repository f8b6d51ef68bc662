/** Row counts and digests of every query on the correctness set D2. The pattern queries c0-c3 are provisional. */
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
