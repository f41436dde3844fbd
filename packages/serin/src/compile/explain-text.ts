/** An Explanation for people. */
import type { Considered, Explanation } from './explain.ts'
import type { UpstreamExplanation } from './explain-upstream.ts'

/** Lines; `✓` and `✗` stand before what matched and what did not. Pure. */
export function explanationText(explanation: Explanation): string {
  const { request, listener, host, considered, passedOver, shares, choice, upstream, outcome } = explanation
  const lines = [
    `${request.method} ${request.path}${request.query}  host ${request.host === '' ? '(none)' : request.host}${request.secure ? ', secure' : ''}`,
  ]
  if (listener !== undefined) lines.push(`Listener ${listener.name}, port ${listener.port}`)
  if (host !== undefined) lines.push(`Host ${host.name} (${host.hostname})`)
  if (considered.length > 0) lines.push('', 'Mappings, in order:', ...considered.flatMap(consideredLines))
  if (passedOver > 0) lines.push(`  … and ${passedOver} more whose path does not match`)
  if (shares.length > 0) {
    lines.push(
      '',
      'Shares:',
      ...shares.map(
        ({ mapping, version, percent }) =>
          `  ${String(percent).padStart(6)} %  ${mapping}${mapping.endsWith(`/${version}`) ? '' : `  version ${version}`}`,
      ),
    )
  }
  if (choice !== undefined) lines.push('', `${choice.mapping ?? 'Version'}: ${choice.because}`)
  for (const entry of upstream) lines.push('', ...upstreamLines(entry))
  lines.push('', `→ ${outcome}`)
  return `${lines.join('\n')}\n`
}

function consideredLines({ mappings, matches, checks }: Considered): string[] {
  const names = mappings.join(', ')
  if (matches) return [`  ✓ ${names}`, ...checks.map(({ what }) => `      ${what}`)]
  const failed = checks.find((check) => !check.matches)
  return [`  ✗ ${names}: ${failed?.what ?? ''}`]
}

function upstreamLines({ mapping, summary, cluster, request }: UpstreamExplanation): string[] {
  if (request === undefined) return [`${mapping}: ${summary}`]
  return [
    `${mapping} sends ${request.method} ${request.path}`,
    `  Host: ${request.host}`,
    ...request.headers.map((header) => `  ${header}`),
    `  cluster ${cluster}`,
  ]
}
