/** Chooses between the generated chain and its interpreted twin. */
import { canGenerateCode } from '../base/codegen.ts'
import type { Chain, ChainParts } from './chain.ts'
import { emitChain } from './codegen/emit-chain.ts'
import { interpretChain } from './interpret-chain.ts'

export function compileChain(parts: ChainParts): Chain {
  return canGenerateCode() ? emitChain(parts) : interpretChain(parts)
}
