import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Correlator, type Correlated } from './correlation.ts'

/** Events as a real control plane told them: counted, combined, cut off. */

function teller(): (message: string, now?: number) => Correlated {
  const correlator = new Correlator()
  let names = 0
  return (message, now = 0) => {
    const about = { kind: 'Deployment', apiVersion: 'apps/v1', name: 'web', namespace: 'default', uid: 'u' }
    const told = correlator.correlate(
      { about, type: 'Normal', reason: 'ScalingReplicaSet', message, source: { component: 'c' } },
      now,
    )
    if (told.do === 'create') correlator.stored(told.key, `event-${String((names += 1))}`)
    return told
  }
}

test('the same message again raises the count of its event', () => {
  const tell = teller()
  assert.equal(tell('one').do, 'create')
  const again = tell('one')
  assert.ok(again.do === 'count' && again.name === 'event-1' && again.message === 'one' && again.count === 2)
})

test('from the tenth different message on they are one event', () => {
  const tell = teller()
  for (let number = 1; number <= 9; number += 1) assert.equal(tell(`message ${String(number)}`).do, 'create')
  const tenth = tell('message 10')
  assert.equal(tenth.do, 'create')
  assert.ok(tenth.do === 'create' && tenth.message === '(combined from similar events): message 10')
  const eleventh = tell('message 11')
  assert.ok(eleventh.do === 'count' && eleventh.count === 2 && eleventh.message.endsWith('message 11'))
})

test('after ten minutes of silence messages stand for themselves again', () => {
  const tell = teller()
  for (let number = 1; number <= 12; number += 1) tell(`message ${String(number)}`)
  const later = tell('message 13', 700_000)
  assert.ok(later.do === 'create' && later.message === 'message 13')
})

test('who talks too much about one object is cut off, and may say one thing every five minutes', () => {
  const tell = teller()
  const told = Array.from({ length: 40 }, () => tell('again').do)
  assert.equal(told.filter((outcome) => outcome !== 'drop').length, 25)
  assert.equal(tell('again', 300_001).do, 'count')
  assert.equal(tell('again', 300_002).do, 'drop')
})
