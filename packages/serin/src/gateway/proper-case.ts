/** Header names as Envoy's proper_case writes them: the first letter, and every one behind something that is no letter, in upper case. */

const COLON = 0x3a
const LF = 10

/** Changes the names of the head in buffer[start, end), whose first line is the status line. */
export function properCase(buffer: Uint8Array, start: number, end: number): void {
  let at = start
  while (at < end && buffer[at] !== LF) at++
  at++
  while (at < end) {
    let first = true
    for (; at < end && buffer[at] !== COLON && buffer[at] !== LF; at++) {
      const octet = buffer[at]!
      const isLower = octet >= 0x61 && octet <= 0x7a
      if (first && isLower) buffer[at] = octet - 32
      first = !isLower && !(octet >= 0x41 && octet <= 0x5a)
    }
    while (at < end && buffer[at] !== LF) at++
    at++
  }
}
