/** The messages of gRPC's own health service (grpc.health.v1.Health). */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

export const HEALTH_PATH = '/grpc.health.v1.Health/Check'
/** HealthCheckResponse.ServingStatus. */
const SERVING = 1

export function encodeHealthRequest(service: string): Uint8Array {
  const writer = new BinaryWriter()
  if (service !== '') writer.tag(1, WireType.LengthDelimited).string(service)
  return writer.finish()
}

export function isServing(octets: Uint8Array): boolean {
  let status = 0
  try {
    const reader = new BinaryReader(octets)
    while (reader.pos < reader.len) {
      const [number, type] = reader.tag()
      if (number === 1) status = reader.int32()
      else reader.skip(type, number)
    }
  } catch {
    // No message of this kind is no good answer.
    return false
  }
  return status === SERVING
}
