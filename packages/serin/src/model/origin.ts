/** Where a thing came from, so that every message can point at what a person wrote. */
export interface Origin {
  readonly kind: string
  readonly namespace: string
  readonly name: string
  /** The file it was read from, where it came from one. */
  readonly file?: string
  /** 1-based. */
  readonly line?: number
  /** 1-based. */
  readonly column?: number
}
