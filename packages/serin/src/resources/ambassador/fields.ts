/** Short words to write a structural schema with. */
import type { Schema } from '../schema.ts'

export const text: Schema = { type: 'string' }
export const flag: Schema = { type: 'boolean' }
export const integer: Schema = { type: 'integer' }
export const anything: Schema = { 'x-kubernetes-preserve-unknown-fields': true }

export function oneOf(...values: (string | number)[]): Schema {
  return { type: typeof values[0] === 'number' ? 'integer' : 'string', enum: values }
}

export function list(items: Schema): Schema {
  return { type: 'array', items }
}

export function map(values: Schema): Schema {
  return { type: 'object', additionalProperties: values }
}

export function record(properties: Record<string, Schema>, ...required: string[]): Schema {
  return required.length === 0 ? { type: 'object', properties } : { type: 'object', properties, required }
}

export function withDefault(schema: Schema, value: unknown): Schema {
  return { ...schema, default: value }
}

/** `[default]`, or absent: every gateway of that id reads the resource. */
export const ambassadorId: Schema = list(text)

const breaker = record({
  priority: oneOf('default', 'high'),
  max_connections: integer,
  max_pending_requests: integer,
  max_requests: integer,
  max_retries: integer,
})
export const circuitBreakers: Schema = list(breaker)

export const retryPolicy: Schema = record({
  retry_on: oneOf(
    '5xx',
    'gateway-error',
    'connect-failure',
    'retriable-4xx',
    'refused-stream',
    'retriable-status-codes',
  ),
  num_retries: integer,
  per_try_timeout: text,
})

export const cors: Schema = record({
  origins: list(text),
  methods: list(text),
  headers: list(text),
  credentials: flag,
  exposed_headers: list(text),
  max_age: text,
  v2CommaSeparatedOrigins: flag,
})

export const keepalive: Schema = record({ probes: integer, idle_time: integer, interval: integer })

export const loadBalancer: Schema = record(
  {
    policy: oneOf('round_robin', 'ring_hash', 'maglev', 'least_request'),
    cookie: record({ name: text, path: text, ttl: text }, 'name'),
    header: text,
    source_ip: flag,
  },
  'policy',
)

export const addedHeaders: Schema = map(record({ value: text, append: flag, v2Representation: text }))

export const errorResponses: Schema = list(
  record(
    {
      on_status_code: { type: 'integer', minimum: 400, maximum: 599 },
      body: record({
        text_format: text,
        content_type: text,
        text_format_source: record({ filename: text }),
        json_format: map(text),
      }),
    },
    'on_status_code',
    'body',
  ),
)

export const regexReplacement: Schema = record({ pattern: text, substitution: text })

export const healthChecks: Schema = list(
  record(
    {
      timeout: text,
      interval: text,
      unhealthy_threshold: integer,
      healthy_threshold: integer,
      health_check: record({
        http: record(
          {
            path: text,
            hostname: text,
            add_request_headers: addedHeaders,
            remove_request_headers: list(text),
            expected_statuses: list(
              record({ min: { type: 'integer', minimum: 100 }, max: { type: 'integer', maximum: 599 } }, 'min', 'max'),
            ),
          },
          'path',
        ),
        grpc: record({ upstream_name: text, authority: text }, 'upstream_name'),
      }),
    },
    'health_check',
  ),
)

/** A rate limit label: a map with one name, and under it a list of specifiers, each with one key. */
export const labels: Schema = map(
  list(
    map(
      list(
        record({
          source_cluster: record({ key: text }, 'key'),
          destination_cluster: record({ key: text }, 'key'),
          request_headers: record({ key: text, header_name: text, omit_if_not_present: flag }, 'key', 'header_name'),
          remote_address: record({ key: text }, 'key'),
          generic_key: record({ key: text, value: text, v2Shorthand: flag }, 'value'),
        }),
      ),
    ),
  ),
)
