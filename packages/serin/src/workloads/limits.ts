/** The bounds of the workloads room, in one place. */

/** Pods that one ReplicaSet creates or deletes in one sync; the rest follows in the next (Kubernetes' burst). */
export const PODS_PER_SYNC_MAX = 500
/** Pods of one ReplicaSet that are being created at the same moment: a large one does not keep the small ones waiting. */
export const CREATES_AT_ONCE = 5
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

/** How often a program that another control process started is looked at. */
export const ADOPTED_POLL_MS = 250
/** How often the memory of a program with a limit is measured. */
export const MEMORY_WATCH_MS = 2_000
/** A command in a pod that was told to end is killed after this time. */
export const EXEC_SWEEP_MS = 2_000
/** How long podman or docker may take to answer. */
export const ENGINE_MS_MAX = 30_000
export const ENGINE_OUTPUT_BYTES_MAX: number = 16 * 1024 * 1024
/** Ports tried before giving up on finding a free one. */
export const PORT_TRIES_MAX = 2_000
/** Of a probe's command, kept for the event. */
export const PROBE_OUTPUT_BYTES_MAX = 10_240
/** The first eager probe of a container that has just started comes after this time, each further one after twice the time. */
export const FIRST_PROBE_MS = 20
/** How long a stopping pod waits for its open connections to end before it is told to stop; half its grace period if that is less. */
export const DRAIN_MS_MAX = 10_000
export const DRAIN_POLL_MS = 20
/** An image or a configuration that was missing is looked for again after this time, doubled each time up to the second. */
export const MISSING_MS_MIN = 1_000
export const MISSING_MS_MAX = 60_000

/** A status that could not be written is written again after this time. */
export const STATUS_RETRY_MS = 500
/** How often it is measured what pods use. */
export const USAGE_SAMPLE_MS = 5_000
/** One look at all processes serves everybody who asks within this time. */
export const PROCESSES_MS_MAX = 200
/** Pods that stop within this time share one search for what they left running. */
export const SWEEP_MS = 10
/** How long a pod's end waits for strays that were killed to be gone. */
export const STRAY_MS_MAX = 2_000

/** A Service's address that could not be opened is tried again after this time. */
export const LISTEN_RETRY_MS = 5_000
/** A Service's connection: how long one endpoint may take, how many are tried, how many connections one address has. */
export const FORWARD_CONNECT_MS_MAX = 2_000
export const FORWARD_TRIES_MAX = 3
export const FORWARD_CONNECTIONS_MAX = 10_000
/** Clients that one Service with affinity remembers. */
export const AFFINITY_CLIENTS_MAX = 10_000

/** How often an autoscaler looks (Kubernetes' default). */
export const AUTOSCALE_MS = 15_000
/** The gateway's counters are read at most this often: a rate needs a time. */
export const TRAFFIC_MS_MIN = 1_000

/** Memory that has to be available on this machine (the kubelet's default), how often it is looked at, and how long the last eviction may take effect. */
export const PRESSURE_BYTES_MIN: number = 100 * 1024 * 1024
export const PRESSURE_LOOK_MS = 5_000
export const PRESSURE_PAUSE_MS = 30_000

/** A timer cannot be longer (32 bits): whatever is due later is looked at again then. */
export const TIMER_MS_MAX: number = 2 ** 31 - 1

/** How long an answer of podman or docker about an image is good for. */
export const IMAGE_ANSWER_MS_MAX = 2_000
