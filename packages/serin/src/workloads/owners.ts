import type { KubeObject, ObjectMeta, OwnerReference } from '../resources/object.ts'

/** Who owns an object, and putting an owner in or out. Pure. */

export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((reference) => reference.controller === true)
}

export function isControlledBy(object: KubeObject, owner: KubeObject): boolean {
  return controllerOf(object)?.uid === owner.metadata.uid
}

export function controllerReference(owner: KubeObject): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  }
}

/** The metadata of an orphan that `owner` takes. */
export function adopted(metadata: ObjectMeta, owner: KubeObject): ObjectMeta {
  return { ...metadata, ownerReferences: [...(metadata.ownerReferences ?? []), controllerReference(owner)] }
}

export function released(metadata: ObjectMeta, owner: KubeObject): ObjectMeta {
  const rest = (metadata.ownerReferences ?? []).filter((reference) => reference.uid !== owner.metadata.uid)
  return { ...metadata, ownerReferences: rest }
}

export interface Claim<T> {
  /** The owner's own, among them those to adopt. */
  readonly own: readonly T[]
  readonly adopt: readonly T[]
  readonly release: readonly T[]
}

/**
 * Which of the objects an owner holds, takes and lets go: by its selector. A controller that is being deleted takes
 * nothing; an object that is being deleted, or has another controller, is left alone.
 */
export function claim<T extends KubeObject>(
  owner: KubeObject,
  objects: readonly T[],
  matches: (object: T) => boolean,
): Claim<T> {
  const held = objects.filter((object) => isControlledBy(object, owner))
  const owned = held.filter(matches)
  if (owner.metadata.deletionTimestamp !== undefined) return { own: owned, adopt: [], release: [] }
  const adopt = objects.filter(
    (object) =>
      controllerOf(object) === undefined && matches(object) && object.metadata.deletionTimestamp === undefined,
  )
  const release = held.filter((object) => !matches(object) && object.metadata.deletionTimestamp === undefined)
  return { own: [...owned, ...adopt], adopt, release }
}
