/** Makes frame builders, generated where the host allows it. */
import { canGenerateCode } from '../base/codegen.ts'
import type { FrameBuilder } from './builder.ts'
import { emitBuilder } from './builder-generated.ts'
import { interpretBuilder } from './builder-interpreted.ts'
import type { FrameLayout } from './layout.ts'

/** A builder for frames of `layout`. */
export function createFrameBuilder(layout: FrameLayout): FrameBuilder {
  layout.builderClass ??= canGenerateCode()
    ? emitBuilder(layout.columns)
    : interpretBuilder(layout.columns)
  return new layout.builderClass(layout)
}
