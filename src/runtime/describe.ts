/** What manifests say about a job, from its plan. */
import type { JobDescription } from '../checkpoint/driver.ts'
import type { StoredSchema } from '../checkpoint/manifest.ts'
import type { Plan } from '../graph/plan.ts'
import { formerFingerprintOf } from '../graph/fingerprint.ts'
import { planJson } from '../graph/plan-json.ts'
import type { Schema } from '../schema/types.ts'

/** The engine's version as manifests name it. */
export const engineVersion = '0.1.0'

export function describeJob(
  plan: Plan,
  parameters: Readonly<Record<string, string>>,
): JobDescription {
  return {
    plan: { fingerprint: plan.fingerprint, json: JSON.stringify(planJson(plan)) },
    formerFingerprint: formerFingerprintOf(plan),
    parameters,
    maxParallelism: plan.options.maxParallelism,
    schemas: storedSchemas(plan),
    versions: { tidemill: engineVersion },
  }
}

/** Every schema that describes stored bytes, under `<step>.<state>` or the name of the step whose rows it describes. */
function storedSchemas(plan: Plan): readonly StoredSchema[] {
  const schemas: StoredSchema[] = []
  const add = (name: string, schema: Schema<unknown> | undefined): void => {
    if (schema) schemas.push({ name, hash: schema.hash, json: JSON.stringify(schema.type) })
  }
  for (const node of plan.nodes) {
    if (node.name !== undefined) add(node.name, node.schema)
    if (node.kind === 'keyed-reduce') add(`${node.name}.value`, node.value)
    if (node.kind !== 'process') continue
    for (const [state, definition] of Object.entries(node.definition.state)) {
      if ('value' in definition) add(`${node.name}.${state}.value`, definition.value)
      if ('key' in definition) add(`${node.name}.${state}.key`, definition.key)
      if ('item' in definition) add(`${node.name}.${state}.item`, definition.item)
      if ('accumulator' in definition)
        add(`${node.name}.${state}.accumulator`, definition.accumulator)
    }
  }
  return schemas
}
