/** The syntax of names, labels and annotations, with the messages of Kubernetes' validation. Pure: undefined means right. */
import { isIP } from 'node:net'

const LABEL_PART = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

const LABEL_CHARS_MAX = 63
const SUBDOMAIN_CHARS_MAX = 253

const QUALIFIED_NAME =
  "consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
const SUBDOMAIN_RULE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
const DNS_LABEL_RULE =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
const DNS_1035_RULE =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"

function tooLong(max: number): string {
  return `must be no more than ${max} characters`
}

/** Labels' keys, annotations' keys, finalizers. All that is wrong with it. */
export function qualifiedNameErrors(key: string): string[] {
  const parts = key.split('/')
  const errors: string[] = []
  const [first = '', second] = parts
  if (parts.length > 2) {
    return [
      `a qualified name must ${QUALIFIED_NAME} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ]
  }
  const name = second ?? first
  if (second !== undefined) {
    if (first === '') errors.push('prefix part must be non-empty')
    else errors.push(...subdomainErrors(first).map((message) => `prefix part ${message}`))
  }
  if (name === '') errors.push('name part must be non-empty')
  else if (name.length > LABEL_CHARS_MAX) errors.push(`name part ${tooLong(LABEL_CHARS_MAX)}`)
  if (!LABEL_PART.test(name)) errors.push(`name part must ${QUALIFIED_NAME}`)
  return errors
}

export function labelKeyError(key: string): string | undefined {
  const errors = qualifiedNameErrors(key)
  return errors.length === 0 ? undefined : errors.join('; ')
}

export function labelValueErrors(value: string): string[] {
  const errors: string[] = []
  if (value.length > LABEL_CHARS_MAX) errors.push(tooLong(LABEL_CHARS_MAX))
  if (!LABEL_VALUE.test(value)) {
    errors.push(
      "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    )
  }
  return errors
}

export function labelValueError(value: string): string | undefined {
  const errors = labelValueErrors(value)
  return errors.length === 0 ? undefined : errors.join('; ')
}

/** RFC 1123 subdomain: most names. */
export function subdomainErrors(name: string): string[] {
  const errors: string[] = []
  if (name.length > SUBDOMAIN_CHARS_MAX) errors.push(tooLong(SUBDOMAIN_CHARS_MAX))
  if (!DNS_SUBDOMAIN.test(name)) errors.push(SUBDOMAIN_RULE)
  return errors
}

/** RFC 1123 label: namespaces, container and port names. */
export function dnsLabelErrors(name: string): string[] {
  const errors: string[] = []
  if (name.length > LABEL_CHARS_MAX) errors.push(tooLong(LABEL_CHARS_MAX))
  if (!DNS_LABEL.test(name)) errors.push(DNS_SUBDOMAIN.test(name) ? 'must not contain dots' : DNS_LABEL_RULE)
  return errors
}

/** RFC 1035 label: Services. */
export function dns1035LabelErrors(name: string): string[] {
  const errors: string[] = []
  if (name.length > LABEL_CHARS_MAX) errors.push(tooLong(LABEL_CHARS_MAX))
  if (!/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(name)) errors.push(DNS_1035_RULE)
  return errors
}

/** An address of either family, in the words of Kubernetes. */
export function ipErrors(address: string): string[] {
  return isIP(address) === 0 ? ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'] : []
}

export function cidrErrors(range: string): string[] {
  const [address = '', bits = '', rest] = range.split('/')
  const version = isIP(address)
  const bitsMax = version === 4 ? 32 : 128
  const isRange = version !== 0 && rest === undefined && /^\d{1,3}$/.test(bits) && Number(bits) <= bitsMax
  return isRange ? [] : ['must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)']
}

const PORT_NAME_CHARS_MAX = 15

/** IANA service name: names of ports. */
export function portNameErrors(name: string): string[] {
  const errors: string[] = []
  if (name.length > PORT_NAME_CHARS_MAX) errors.push(`must be no more than ${PORT_NAME_CHARS_MAX} characters`)
  if (!/^[-a-z0-9]+$/.test(name)) errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  if (!/[a-z]/.test(name)) errors.push('must contain at least one letter (a-z)')
  if (name.includes('--')) errors.push('must not contain consecutive hyphens')
  if (name.startsWith('-') || name.endsWith('-')) errors.push('must not begin or end with a hyphen')
  return errors
}

/** Keys of ConfigMaps and Secrets. */
export function configKeyErrors(key: string): string[] {
  const errors: string[] = []
  if (key.length > SUBDOMAIN_CHARS_MAX) errors.push(`must be no more than ${SUBDOMAIN_CHARS_MAX} characters`)
  if (!/^[-._a-zA-Z0-9]+$/.test(key)) {
    errors.push(
      "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
    )
  }
  if (key === '.') errors.push("must not be '.'")
  if (key === '..') errors.push("must not be '..'")
  else if (key.startsWith('..')) errors.push("must not start with '..'")
  return errors
}
