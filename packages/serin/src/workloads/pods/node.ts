import { arch, availableParallelism, platform, release, totalmem } from 'node:os'
import type { Condition, NodeObject } from '../../resources/kubernetes/types.ts'
import { timestamp } from '../conditions.ts'

/** This machine as a Node. Pure but for what the operating system says of itself. */

/** Pods of one machine, as a kubelet counts by default. */
const PODS_MAX = 250

export function nodeObject(name: string, address: string, now: number): NodeObject {
  const amounts = {
    cpu: String(availableParallelism()),
    memory: `${String(Math.floor(totalmem() / 1024))}Ki`,
    pods: String(PODS_MAX),
  }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': platform(), 'kubernetes.io/arch': goArch() },
    },
    status: {
      addresses: [
        { type: 'InternalIP', address },
        { type: 'Hostname', address: name },
      ],
      capacity: amounts,
      allocatable: amounts,
      conditions: [readyCondition(now)],
      nodeInfo: {
        machineID: '',
        systemUUID: '',
        bootID: '',
        kernelVersion: release(),
        osImage: platform(),
        containerRuntimeVersion: 'serin://0.1.0',
        kubeletVersion: 'v1.34.4',
        kubeProxyVersion: '',
        operatingSystem: platform(),
        architecture: goArch(),
      },
    },
  }
}

function readyCondition(now: number): Condition & { lastHeartbeatTime: string } {
  const at = timestamp(now)
  return {
    type: 'Ready',
    status: 'True',
    lastHeartbeatTime: at,
    lastTransitionTime: at,
    reason: 'KubeletReady',
    message: 'serin runs pods on this machine',
  }
}

/** Kubernetes uses Go's names. */
function goArch(): string {
  return arch() === 'x64' ? 'amd64' : arch()
}
