import assert from 'node:assert/strict'
import { test } from 'node:test'
import { grpcReply } from './grpc-reply.ts'

test('an answer of the gateway in gRPC’s words', () => {
  assert.deepEqual(grpcReply({ status: 503, body: 'no healthy upstream', lines: 'x: 1\r\n' }), {
    status: 200,
    body: '',
    lines: 'x: 1\r\ncontent-type: application/grpc\r\ngrpc-status: 14\r\ngrpc-message: no healthy upstream\r\n',
  })
  assert.match(grpcReply({ status: 404, body: '' }).lines!, /grpc-status: 12\r\n$/u)
  assert.match(
    grpcReply({ status: 413, body: '100 %\r\né' }).lines!,
    /grpc-status: 2\r\ngrpc-message: 100 %25%0D%0A%C3%A9\r\n$/u,
  )
})
