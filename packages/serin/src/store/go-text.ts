/** A JSON value as Go's `fmt` prints it: `map[spec:map[replicas:x]]`. Pure. */
export function goText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
    return `map[${entries.map(([key, child]) => `${key}:${goText(child)}`).join(' ')}]`
  }
  return value === null || value === undefined ? '<nil>' : String(value as string | number | boolean)
}
