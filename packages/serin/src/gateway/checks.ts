/** The checks of a Plan, in the order of Emissary's filters: the body's size, authorization, rate limits. */
import type { Settings } from '../model/settings.ts'
import { AuthGrpcCheck } from './auth-grpc.ts'
import { AuthHttpCheck, SharedCheck } from './auth-http.ts'
import { BufferCheck } from './buffer-check.ts'
import type { Check } from './check.ts'
import type { ClusterState } from './cluster-state.ts'
import { RateLimitCheck } from './rate-limit.ts'
import type { SideNeeds } from './side-request.ts'

/** Null: there are none. */
export function compileChecks(
  { buffer, auth, rateLimit }: Settings,
  clusterOf: (name: string) => ClusterState | null,
  needs: SideNeeds,
): readonly Check[] | null {
  const checks: Check[] = []
  if (buffer) checks.push(new BufferCheck(buffer.requestBytesMax))
  const services = auth.map((settings) =>
    settings.protocol === 'grpc'
      ? new AuthGrpcCheck(settings, clusterOf(settings.cluster), needs)
      : new AuthHttpCheck(settings, clusterOf(settings.cluster), needs),
  )
  if (services.length > 0) checks.push(services.length === 1 ? services[0]! : new SharedCheck(services))
  if (rateLimit) checks.push(new RateLimitCheck(rateLimit, clusterOf(rateLimit.cluster), needs))
  return checks.length === 0 ? null : checks
}
