/** The syntax of names, labels and annotations, with the messages of Kubernetes' validation. Pure: undefined means right. */

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
  return `must be no more than ${max} bytes`
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
  if (!DNS_LABEL.test(name)) errors.push(DNS_LABEL_RULE)
  return errors
}

/** RFC 1035 label: Services. */
export function dns1035LabelErrors(name: string): string[] {
  const errors: string[] = []
  if (name.length > LABEL_CHARS_MAX) errors.push(tooLong(LABEL_CHARS_MAX))
  if (!/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(name)) errors.push(DNS_1035_RULE)
  return errors
}
