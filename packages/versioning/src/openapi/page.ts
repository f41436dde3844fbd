/** The documents of an API as HTML pages: no script, no font, no file from anywhere else. Pure. */

import {
  contentSchema,
  isObject,
  operationsOf,
  resolve,
  type JsonObject,
  type OpenApiDocument,
  type Operation,
} from './document.ts'
import { pageStyle } from './style.ts'

/** A version in the list that every page shows. */
export interface PageVersion {
  readonly label: string
  readonly status: string
  /** `2026-01-01`, where there is such a date. */
  readonly deprecated?: string | undefined
  readonly sunset?: string | undefined
  readonly info?: string | undefined
  readonly latest: boolean
  /** What this version brought, newest first. */
  readonly changes?: readonly string[] | undefined
  /** Links, as they have to stand in this page. */
  readonly page?: string | undefined
  readonly document?: string | undefined
}

/** Schemas inside schemas that are shown; deeper ones are named only. */
const depthMax = 6

/** Escapes text for HTML content and quoted attributes. */
function escapeHtml(text: unknown): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return String(text).replaceAll(/[&<>"']/g, (char) => entities[char] as string)
}

export interface IndexPageInput {
  readonly title: string
  readonly description: string | undefined
  readonly versions: readonly PageVersion[]
  /** Addresses of the same list for programs: as an OpenAPI document, as JSON. */
  readonly links: readonly { readonly name: string; readonly url: string }[]
}

/** The index: all versions with their state. */
export function indexPage({ title, description, versions, links }: IndexPageInput): string {
  const rows = versions.toReversed().map((version) => {
    const dates = [
      version.deprecated && `deprecated ${version.deprecated}`,
      version.sunset && `ends ${version.sunset}`,
    ].filter(Boolean)
    const info = version.info === undefined ? '' : ` · <a href="${escapeHtml(safeLink(version.info))}">what to do</a>`
    return `<tr><td><b>${link(version.page, version.label)}</b></td><td>${badges(version)}</td><td class="dim">${escapeHtml(dates.join(', '))}${info}</td><td>${version.document === undefined ? '' : `<a href="${escapeHtml(version.document)}">OpenAPI</a>`}</td></tr>`
  })
  const table = `<table class="versions"><thead><tr><th>Version</th><th>State</th><th>Dates</th><th>Document</th></tr></thead><tbody>${rows.join('\n')}</tbody></table>`
  return layout(
    title,
    `<header><h1>${escapeHtml(title)}</h1><nav>${links.map(({ name, url }) => link(url, name)).join(' ')}</nav>${paragraph(description)}</header>\n<main>${table}</main>`,
  )
}

export interface VersionPageInput {
  readonly document: OpenApiDocument
  readonly current: PageVersion
  readonly versions: readonly PageVersion[]
  /** Address of the document, as it has to stand in the page. */
  readonly documentUrl: string
  readonly indexUrl?: string | undefined
}

/** The page of one version: every operation with its parameters, body and answers. */
export function versionPage({ document, current, versions, documentUrl, indexUrl }: VersionPageInput): string {
  const { title, description } = document.info
  const switcher = versions.map((version) =>
    version.label === current.label
      ? `<b aria-current="page">${escapeHtml(version.label)}</b>`
      : link(version.page, version.label),
  )
  const server = document.servers?.[0]?.url
  const header = `<header><h1>${escapeHtml(title)} <span class="version">${escapeHtml(current.label)}</span> ${badges(current)}</h1>
<nav>${switcher.join(' ')} <span class="dim">·</span> <a href="${escapeHtml(documentUrl)}" type="application/json">openapi.json</a>${indexUrl === undefined ? '' : ` <span class="dim">·</span> <a href="${escapeHtml(indexUrl)}">all versions</a>`}</nav>
${notice(current)}${paragraph(description)}${server === undefined || server === '' ? '' : `<p class="dim">Base address <code>${escapeHtml(server)}</code></p>`}</header>`
  const operations = operationsOf(document)
  const list =
    operations.length === 0
      ? '<p class="dim">This version has no operations of its own.</p>'
      : groups(document, operations)
  const body = `${changeList(current.changes)}${list}`
  return layout(`${title} ${current.label}`, `${header}\n<main>${body}</main>`)
}

function layout(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title><style>${pageStyle}</style></head>
<body>${body}</body></html>
`
}

function changeList(changes: readonly string[] = []): string {
  if (changes.length === 0) return ''
  const items = changes.map((text) => `<li>${escapeHtml(text)}</li>`)
  return `<section><h2>What is new in this version</h2><ul>${items.join('')}</ul></section>`
}

function notice(version: PageVersion): string {
  if (version.deprecated === undefined && version.sunset === undefined) return ''
  const since = version.deprecated === undefined ? '' : `deprecated since ${version.deprecated}`
  const end = version.sunset === undefined ? '' : `ends on ${version.sunset}`
  const info = version.info === undefined ? '' : ` <a href="${escapeHtml(safeLink(version.info))}">What to do</a>`
  return `<p class="notice">This version is ${escapeHtml([since, end].filter((part) => part !== '').join(' and '))}.${info}</p>`
}

function groups(document: OpenApiDocument, operations: readonly Operation[]): string {
  const byTag = new Map<string, Operation[]>()
  for (const item of operations) {
    const tags = item.operation['tags']
    const tag = Array.isArray(tags) && typeof tags[0] === 'string' ? tags[0] : ''
    byTag.set(tag, [...(byTag.get(tag) ?? []), item])
  }
  return [...byTag]
    .map(
      ([tag, items]) =>
        `<section>${tag === '' ? '' : `<h2>${escapeHtml(tag)}</h2>`}${items.map((item) => operationBlock(document, item)).join('\n')}</section>`,
    )
    .join('\n')
}

function operationBlock(document: OpenApiDocument, { path, method, operation, parameters }: Operation): string {
  const deprecated = operation['deprecated'] === true
  const summary = typeof operation['summary'] === 'string' ? operation['summary'] : ''
  const parts = [
    paragraph(operation['description']),
    parameterTable(document, parameters),
    requestBody(document, operation['requestBody']),
    responses(document, operation['responses']),
  ]
  return `<details class="operation ${escapeHtml(method.toLowerCase())}" id="${escapeHtml(`${method} ${path}`.replaceAll(/[^\w]+/g, '-'))}"><summary><span class="method">${escapeHtml(method)}</span> <code${deprecated ? ' class="old"' : ''}>${escapeHtml(path)}</code> <span class="dim">${escapeHtml(summary)}</span>${deprecated ? ' <span class="badge deprecated">deprecated</span>' : ''}</summary><div>${parts.join('')}</div></details>`
}

function parameterTable(document: OpenApiDocument, parameters: readonly JsonObject[]): string {
  if (parameters.length === 0) return ''
  const rows = parameters.map((parameter) => {
    const schema = resolve(document, parameter['schema'])
    const required = parameter['required'] === true ? ' <span class="required">required</span>' : ''
    return `<tr><td><code>${escapeHtml(parameter['name'])}</code>${required}</td><td class="dim">${escapeHtml(parameter['in'])}</td><td>${escapeHtml(typeName(document, schema))}</td><td>${escapeHtml(parameter['description'] ?? '')}</td></tr>`
  })
  return `<h3>Parameters</h3><table>${rows.join('')}</table>`
}

function requestBody(document: OpenApiDocument, value: unknown): string {
  const body = resolve(document, value)
  if (!isObject(body)) return ''
  return `<h3>Body</h3>${schemaTree(document, contentSchema(document, body['content']), depthMax)}`
}

function responses(document: OpenApiDocument, value: unknown): string {
  if (!isObject(value)) return ''
  const blocks = Object.entries(value).map(([status, entry]) => {
    const response = resolve(document, entry)
    if (!isObject(response)) return ''
    const schema = contentSchema(document, response['content'])
    const description = response['description'] === 'Default Response' ? '' : escapeHtml(response['description'] ?? '')
    return `<h3>${escapeHtml(status)} <span class="dim">${description}</span></h3>${schema === undefined ? '' : schemaTree(document, schema, depthMax)}`
  })
  return blocks.join('')
}

/** An object as a list of its properties, a list as its items; anything else in one line. */
function schemaTree(document: OpenApiDocument, value: unknown, depth: number): string {
  const schema = resolve(document, value)
  if (!isObject(schema)) return ''
  const properties = propertiesOf(document, schema)
  if (properties.length > 0 && depth > 0) {
    const required = new Set(Array.isArray(schema['required']) ? schema['required'] : [])
    const items = properties.map(([name, property]) => {
      const inner = resolve(document, property)
      const mark = required.has(name) ? '' : '<span class="dim">?</span>'
      const text =
        isObject(inner) && typeof inner['description'] === 'string'
          ? ` <span class="dim">${escapeHtml(inner['description'])}</span>`
          : ''
      const nested = isNested(document, inner) ? schemaTree(document, insideLists(document, inner), depth - 1) : ''
      return `<li><code>${escapeHtml(name)}</code>${mark} <i>${escapeHtml(typeName(document, inner))}</i>${text}${nested}</li>`
    })
    return `<ul class="schema">${items.join('')}</ul>`
  }
  const items = resolve(document, schema['items'])
  if (schema['type'] === 'array' && isNested(document, items) && depth > 0)
    return `<p><i>${escapeHtml(typeName(document, schema))}</i></p>${schemaTree(document, items, depth - 1)}`
  return `<p><i>${escapeHtml(typeName(document, schema))}</i></p>`
}

/** What a list holds, or a list of lists: the line before has said that it is one. */
function insideLists(document: OpenApiDocument, schema: unknown, depth = depthMax): unknown {
  const inner = resolve(document, schema)
  const isList = isObject(inner) && inner['type'] === 'array' && depth > 0
  return isList ? insideLists(document, inner['items'], depth - 1) : inner
}

function isNested(document: OpenApiDocument, schema: unknown): boolean {
  if (!isObject(schema)) return false
  if (propertiesOf(document, schema).length > 0) return true
  return schema['type'] === 'array' && isNested(document, resolve(document, schema['items']))
}

/** Own properties, and those of `allOf`. */
function propertiesOf(document: OpenApiDocument, schema: JsonObject): readonly (readonly [string, unknown])[] {
  const own = isObject(schema['properties']) ? Object.entries(schema['properties']) : []
  const all = Array.isArray(schema['allOf']) ? schema['allOf'].map((part) => resolve(document, part)) : []
  return [
    ...all.flatMap((part) =>
      isObject(part) && isObject(part['properties']) ? Object.entries(part['properties']) : [],
    ),
    ...own,
  ]
}

/** `string (date-time)`, `integer ≥ 1`, `"a" | "b"`, `list of object`. */
function typeName(document: JsonObject, value: unknown): string {
  const schema = resolve(document, value)
  if (!isObject(schema)) return 'any'
  if (Array.isArray(schema['enum'])) return schema['enum'].map((item) => JSON.stringify(item)).join(' | ')
  if ('const' in schema) return JSON.stringify(schema['const'])
  for (const key of ['oneOf', 'anyOf']) {
    const options = schema[key]
    if (Array.isArray(options)) return options.map((item) => typeName(document, item)).join(' | ')
  }
  const type =
    schema['type'] === undefined
      ? isObject(schema['properties'])
        ? 'object'
        : 'any'
      : [schema['type'] as string | readonly string[]].flat().join(' | ')
  if (type === 'array') return `list of ${typeName(document, schema['items'])}`
  const format = typeof schema['format'] === 'string' ? ` (${schema['format']})` : ''
  return `${type}${format}${bound('≥', schema['minimum'])}${bound('≤', schema['maximum'])}`
}

function bound(sign: string, value: unknown): string {
  return typeof value === 'number' ? ` ${sign} ${value}` : ''
}

function badges(version: PageVersion): string {
  const status = `<span class="badge ${escapeHtml(version.status)}">${escapeHtml(version.status)}</span>`
  return version.latest ? `${status} <span class="badge latest">latest</span>` : status
}

function link(target: string | undefined, text: string): string {
  return target === undefined ? escapeHtml(text) : `<a href="${escapeHtml(target)}">${escapeHtml(text)}</a>`
}

/** Nothing that a browser would run. */
function safeLink(target: string): string {
  return /^(https?:\/\/|\/|\.)/i.test(target) ? target : '#'
}

function paragraph(text: unknown): string {
  return typeof text === 'string' && text !== '' ? `<p>${escapeHtml(text)}</p>` : ''
}
