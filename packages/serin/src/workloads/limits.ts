/** The bounds of the workloads room, in one place. */

/** Pods that one ReplicaSet creates or deletes in one sync; the rest follows in the next (Kubernetes' burst). */
export const PODS_PER_SYNC_MAX = 500
/** Endpoints of one EndpointSlice (Kubernetes' default). */
export const ENDPOINTS_PER_SLICE_MAX = 100
/** Length of the annotation that holds a ReplicaSet's former revisions (Kubernetes' limit). */
export const REVISION_HISTORY_CHARACTERS_MAX = 2000

/** A failed sync is tried again after this time, doubled each time up to the second bound. */
export const RETRY_MS_MIN = 5
export const RETRY_MS_MAX = 30_000
/** Keys of one controller worked on at once. */
export const SYNCS_AT_ONCE = 8

/** Similar events (same source, object, reason) in the window before they are told as one (Kubernetes' aggregator). */
export const SIMILAR_EVENTS_MAX = 10
export const SIMILAR_EVENTS_WINDOW_MS = 600_000
/** Events of one source about one object: a burst, then one every five minutes (Kubernetes' spam filter). */
export const EVENT_BURST_MAX = 25
export const EVENT_REFILL_MS = 300_000
/** Keys that the event recorder remembers. */
export const EVENT_KEYS_MAX = 4096
/** Events waiting to be written; more are dropped. */
export const EVENT_QUEUE_MAX = 1000

/** Restart back-off of a container: first, factor two, last; forgotten after running this long (kubelet's figures). */
export const BACKOFF_MS_MIN = 10_000
export const BACKOFF_MS_MAX = 300_000
export const BACKOFF_RESET_MS = 600_000

/** How long a pod that stops waits for the gateway to acknowledge that its endpoint is gone. */
export const ENDPOINT_ACKNOWLEDGED_MS_MAX = 5_000
/** A gateway whose lease was not renewed for this long is not waited for. */
export const GATEWAY_LEASE_MS_MAX = 15_000
/** A preStop hook that still runs at the end of the grace period gets this much more (kubelet's figure). */
export const PRESTOP_EXTRA_MS = 2_000
/** Terminates pods whose spec says nothing. */
export const GRACE_SECONDS_DEFAULT = 30

/** Bytes of a container's log that are kept; older ones are freed. */
export const LOG_BYTES_MAX: number = 10 * 1024 * 1024
/** Bytes above `LOG_BYTES_MAX` that are let grow before they are freed. */
export const LOG_BYTES_SLACK: number = 2 * 1024 * 1024

/** How long a controller waits to see its own write before it goes on without. */
export const CATCH_UP_MS_MAX = 2_000

/** Events are kept this long (an API server's default), looked for at this interval. */
export const EVENT_AGE_MS_MAX = 3_600_000
export const EVENT_SWEEP_MS = 300_000
/** A namespace that still has content is looked at again after this time. */
export const NAMESPACE_RECHECK_MS = 200
