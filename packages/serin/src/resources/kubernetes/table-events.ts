/** The cells of an Event. Pure. */
import { age } from './duration.ts'
import { number, text, type Cell, type Loose } from './loose.ts'

export function eventCells(event: Loose, now: number): readonly Cell[] {
  const involved = event['involvedObject']
  const first = text(event['firstTimestamp']) || text(event['eventTime'])
  const series = event['series']
  const last = text(series?.['lastObservedTime']) || text(event['lastTimestamp']) || first
  const count = number(series?.['count']) || number(event['count']) || 1
  const kind = text(involved?.['kind']).toLowerCase()
  const name = text(involved?.['name'])
  return [
    age(last === '' ? undefined : last, now),
    text(event['type']),
    text(event['reason']),
    kind === '' ? name : `${kind}/${name}`,
    text(involved?.['fieldPath']),
    source(event),
    text(event['message']).trim(),
    age(first === '' ? undefined : first, now),
    count,
    text(event['metadata']?.['name']),
  ]
}

function source(event: Loose): string {
  const component = text(event['source']?.['component'])
  const host = text(event['source']?.['host'])
  if (component !== '') return host === '' ? component : `${component}, ${host}`
  const reporter = text(event['reportingComponent'])
  const instance = text(event['reportingInstance'])
  return instance === '' ? reporter : `${reporter}, ${instance}`
}
