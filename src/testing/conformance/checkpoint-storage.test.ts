import { describe, test } from 'vitest'
import { directoryStorage } from '../../checkpoint/directory-storage.ts'
import { checkpointStorageConformance } from './checkpoint-storage.ts'

checkpointStorageConformance(
  { describe, test },
  {
    name: 'directory',
    open: (env) => directoryStorage(env, '/state/checkpoints'),
  },
)
