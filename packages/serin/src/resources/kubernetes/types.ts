import type { KubeObject, ObjectMeta } from '../object.ts'

/**
 * TypeScript types of the built-in kinds, as far as serin reads and writes them (Kubernetes 1.34 API reference).
 * The kinds' table (`kinds.ts`) has the names `Deployment`, `Pod`…; the types of their objects end in `Object`.
 * Fields that the API fills with defaults are still optional here: an object may come from anywhere.
 */

/** `3` or `"25%"`. */
export type IntOrString = number | string

export interface LabelSelector {
  matchLabels?: Record<string, string>
  matchExpressions?: LabelSelectorRequirement[]
}

interface LabelSelectorRequirement {
  key: string
  operator: string
  values?: string[]
}

/** What Deployments, Pods, Namespaces… say about themselves. Times are RFC 3339. */
export interface Condition {
  type: string
  status: 'True' | 'False' | 'Unknown'
  reason?: string
  message?: string
  lastTransitionTime?: string | null
  lastUpdateTime?: string
  lastProbeTime?: string | null
  observedGeneration?: number
}

// ---- apps/v1 -------------------------------------------------------------------------------------------------

export interface PodTemplate {
  metadata?: Partial<ObjectMeta>
  spec: PodSpec
}

export interface DeploymentObject extends KubeObject {
  spec: DeploymentSpec
  status?: DeploymentStatus
}

export interface DeploymentSpec {
  replicas?: number
  selector: LabelSelector
  template: PodTemplate
  strategy?: DeploymentStrategy
  minReadySeconds?: number
  revisionHistoryLimit?: number
  paused?: boolean
  /** 2147483647 means no deadline. */
  progressDeadlineSeconds?: number
}

interface DeploymentStrategy {
  type?: string
  rollingUpdate?: { maxSurge?: IntOrString; maxUnavailable?: IntOrString }
}

export interface DeploymentStatus {
  observedGeneration?: number
  replicas?: number
  updatedReplicas?: number
  readyReplicas?: number
  availableReplicas?: number
  unavailableReplicas?: number
  conditions?: Condition[]
  collisionCount?: number
}

export interface ReplicaSetObject extends KubeObject {
  spec: ReplicaSetSpec
  status?: ReplicaSetStatus
}

interface ReplicaSetSpec {
  replicas?: number
  minReadySeconds?: number
  selector: LabelSelector
  template: PodTemplate
}

export interface ReplicaSetStatus {
  replicas: number
  fullyLabeledReplicas?: number
  readyReplicas?: number
  availableReplicas?: number
  observedGeneration?: number
  conditions?: Condition[]
}

// ---- Pods ----------------------------------------------------------------------------------------------------

export interface PodObject extends KubeObject {
  spec: PodSpec
  status?: PodStatus
}

export interface PodSpec {
  containers: Container[]
  initContainers?: Container[]
  restartPolicy?: 'Always' | 'OnFailure' | 'Never'
  terminationGracePeriodSeconds?: number
  activeDeadlineSeconds?: number
  volumes?: Volume[]
  nodeName?: string
  hostname?: string
  subdomain?: string
  serviceAccountName?: string
  enableServiceLinks?: boolean
  securityContext?: { runAsUser?: number; runAsGroup?: number; runAsNonRoot?: boolean; fsGroup?: number }
  readinessGates?: { conditionType: string }[]
}

export interface Container {
  name: string
  image?: string
  imagePullPolicy?: string
  command?: string[]
  args?: string[]
  workingDir?: string
  ports?: ContainerPort[]
  env?: EnvVar[]
  envFrom?: EnvFromSource[]
  resources?: { limits?: Record<string, IntOrString>; requests?: Record<string, IntOrString> }
  volumeMounts?: VolumeMount[]
  livenessProbe?: Probe
  readinessProbe?: Probe
  startupProbe?: Probe
  lifecycle?: { postStart?: LifecycleHandler; preStop?: LifecycleHandler; stopSignal?: string }
  securityContext?: { runAsUser?: number; runAsGroup?: number; runAsNonRoot?: boolean }
  /** `Always` on an init container makes it a sidecar. */
  restartPolicy?: string
  terminationMessagePath?: string
  terminationMessagePolicy?: string
  stdin?: boolean
  tty?: boolean
}

export interface ContainerPort {
  name?: string
  containerPort: number
  protocol?: string
  hostPort?: number
  hostIP?: string
}

export interface EnvVar {
  name: string
  value?: string
  valueFrom?: {
    fieldRef?: { fieldPath: string; apiVersion?: string }
    resourceFieldRef?: { resource: string; containerName?: string; divisor?: IntOrString }
    configMapKeyRef?: KeyRef
    secretKeyRef?: KeyRef
  }
}

export interface KeyRef {
  name: string
  key: string
  optional?: boolean
}

export interface EnvFromSource {
  prefix?: string
  configMapRef?: { name: string; optional?: boolean }
  secretRef?: { name: string; optional?: boolean }
}

export interface Volume {
  name: string
  emptyDir?: { medium?: string; sizeLimit?: IntOrString }
  hostPath?: { path: string; type?: string }
  configMap?: { name: string; items?: KeyToPath[]; optional?: boolean; defaultMode?: number }
  secret?: { secretName: string; items?: KeyToPath[]; optional?: boolean; defaultMode?: number }
}

export interface KeyToPath {
  key: string
  path: string
  mode?: number
}

export interface VolumeMount {
  name: string
  mountPath: string
  subPath?: string
  readOnly?: boolean
}

export interface Probe {
  httpGet?: HttpGetAction
  tcpSocket?: { port: IntOrString; host?: string }
  exec?: { command?: string[] }
  grpc?: { port: number; service?: string }
  initialDelaySeconds?: number
  periodSeconds?: number
  timeoutSeconds?: number
  successThreshold?: number
  failureThreshold?: number
  terminationGracePeriodSeconds?: number
}

export interface HttpGetAction {
  path?: string
  port: IntOrString
  host?: string
  scheme?: string
  httpHeaders?: { name: string; value: string }[]
}

export interface LifecycleHandler {
  exec?: { command?: string[] }
  httpGet?: HttpGetAction
  tcpSocket?: { port: IntOrString; host?: string }
  sleep?: { seconds: number }
}

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown'

export interface PodStatus {
  observedGeneration?: number
  phase?: PodPhase
  reason?: string
  message?: string
  conditions?: Condition[]
  hostIP?: string
  hostIPs?: { ip: string }[]
  podIP?: string
  podIPs?: { ip: string }[]
  startTime?: string
  containerStatuses?: ContainerStatus[]
  initContainerStatuses?: ContainerStatus[]
  qosClass?: string
}

export interface ContainerStatus {
  name: string
  state: ContainerState
  lastState: ContainerState
  ready: boolean
  restartCount: number
  image: string
  imageID: string
  containerID?: string
  started?: boolean
  resources?: { limits?: Record<string, IntOrString>; requests?: Record<string, IntOrString> }
  allocatedResources?: Record<string, IntOrString>
}

/** One of the three. */
export interface ContainerState {
  waiting?: { reason?: string; message?: string }
  running?: { startedAt: string }
  terminated?: {
    exitCode: number
    signal?: number
    reason?: string
    message?: string
    startedAt?: string
    finishedAt?: string
    containerID?: string
  }
}

// ---- Services and endpoints ----------------------------------------------------------------------------------

export interface ServiceObject extends KubeObject {
  spec: ServiceSpec
  status?: { loadBalancer?: { ingress?: { ip?: string; hostname?: string; ipMode?: string }[] } }
}

export interface ServiceSpec {
  type?: string
  clusterIP?: string
  clusterIPs?: string[]
  externalName?: string
  externalIPs?: string[]
  ports?: ServicePort[]
  selector?: Record<string, string>
  sessionAffinity?: string
  sessionAffinityConfig?: { clientIP?: { timeoutSeconds?: number } }
  publishNotReadyAddresses?: boolean
  loadBalancerClass?: string
  loadBalancerIP?: string
}

export interface ServicePort {
  name?: string
  protocol?: string
  port: number
  targetPort?: IntOrString
  nodePort?: number
  appProtocol?: string
}

export interface EndpointSliceObject extends KubeObject {
  addressType: string
  endpoints: SliceEndpoint[] | null
  ports: SlicePort[] | null
}

export interface SliceEndpoint {
  addresses: string[]
  conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean }
  hostname?: string
  nodeName?: string
  targetRef?: { kind: string; namespace: string; name: string; uid: string }
}

export interface SlicePort {
  name?: string
  protocol?: string
  port?: number
  appProtocol?: string
}

// ---- the rest ------------------------------------------------------------------------------------------------

export interface ConfigMapObject extends KubeObject {
  data?: Record<string, string>
  binaryData?: Record<string, string>
}

export interface SecretObject extends KubeObject {
  type?: string
  /** Base64. */
  data?: Record<string, string>
}

export interface NamespaceObject extends KubeObject {
  spec?: { finalizers?: string[] }
  status?: { phase?: string; conditions?: Condition[] }
}

export interface LeaseObject extends KubeObject {
  spec?: {
    holderIdentity?: string
    leaseDurationSeconds?: number
    acquireTime?: string
    renewTime?: string
    leaseTransitions?: number
  }
}

export interface EventObject extends KubeObject {
  involvedObject: ObjectReference
  reason?: string
  message?: string
  source?: { component?: string; host?: string }
  firstTimestamp?: string | null
  lastTimestamp?: string | null
  eventTime?: string | null
  count?: number
  type?: string
  reportingComponent?: string
  reportingInstance?: string
}

export interface ObjectReference {
  kind: string
  apiVersion: string
  name: string
  namespace?: string
  uid?: string
  resourceVersion?: string
  fieldPath?: string
}

export interface NodeObject extends KubeObject {
  spec?: { unschedulable?: boolean; podCIDR?: string }
  status?: {
    addresses?: { type: string; address: string }[]
    capacity?: Record<string, string>
    allocatable?: Record<string, string>
    conditions?: (Condition & { lastHeartbeatTime?: string })[]
    nodeInfo?: Record<string, string>
  }
}

// ---- autoscaling/v2 ------------------------------------------------------------------------------------------

export interface HorizontalPodAutoscalerObject extends KubeObject {
  spec: HorizontalPodAutoscalerSpec
  status?: HorizontalPodAutoscalerStatus
}

export interface HorizontalPodAutoscalerSpec {
  scaleTargetRef: { apiVersion?: string; kind: string; name: string }
  minReplicas?: number
  maxReplicas: number
  metrics?: MetricSpec[]
  behavior?: { scaleUp?: ScalingRules; scaleDown?: ScalingRules }
}

export interface ScalingRules {
  stabilizationWindowSeconds?: number
  selectPolicy?: string
  policies?: { type: string; value: number; periodSeconds: number }[]
  tolerance?: IntOrString
}

interface MetricTarget {
  type: string
  averageUtilization?: number
  averageValue?: IntOrString
  value?: IntOrString
}

export interface MetricSpec {
  type: string
  resource?: { name: string; target: MetricTarget }
  containerResource?: { name: string; container: string; target: MetricTarget }
  pods?: { metric: MetricName; target: MetricTarget }
  object?: {
    describedObject: { apiVersion?: string; kind: string; name: string }
    metric: MetricName
    target: MetricTarget
  }
  external?: { metric: MetricName; target: MetricTarget }
}

interface MetricName {
  name: string
  selector?: LabelSelector
}

interface MetricValueStatus {
  averageUtilization?: number
  averageValue?: string
  value?: string
}

export interface MetricStatus {
  type: string
  resource?: { name: string; current: MetricValueStatus }
  containerResource?: { name: string; container: string; current: MetricValueStatus }
  pods?: { metric: MetricName; current: MetricValueStatus }
  object?: {
    describedObject: { apiVersion?: string; kind: string; name: string }
    metric: MetricName
    current: MetricValueStatus
  }
}

export interface HorizontalPodAutoscalerStatus {
  observedGeneration?: number
  lastScaleTime?: string
  currentReplicas?: number
  desiredReplicas: number
  currentMetrics?: MetricStatus[] | null
  conditions?: Condition[]
}
