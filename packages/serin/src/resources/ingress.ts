/** What `spec` of a networking.k8s.io/v1 Ingress may say. */
import { integer, list, oneOf, record, text } from './ambassador/fields.ts'
import type { Schema } from './schema.ts'

const port = record({ name: text, number: integer })
const backend = record({
  service: record({ name: text, port }, 'name'),
  resource: record({ apiGroup: text, kind: text, name: text }, 'kind', 'name'),
})
const path = record(
  { path: text, pathType: oneOf('Exact', 'Prefix', 'ImplementationSpecific'), backend },
  'pathType',
  'backend',
)

export const INGRESS_SCHEMA: Schema = record({
  ingressClassName: text,
  defaultBackend: backend,
  tls: list(record({ hosts: list(text), secretName: text })),
  rules: list(record({ host: text, http: record({ paths: list(path) }, 'paths') })),
})

export const INGRESS_CLASS_SCHEMA: Schema = record({
  controller: text,
  parameters: record({ apiGroup: text, kind: text, name: text, namespace: text, scope: text }, 'kind', 'name'),
})
