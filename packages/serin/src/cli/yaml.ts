/** Objects as YAML, quoted so that readers of YAML 1.1 (kubectl is one) understand the same. */
import { stringify } from 'yaml'

export function yamlOf(value: unknown): string {
  return stringify(value, { lineWidth: 0, version: '1.1' })
}
