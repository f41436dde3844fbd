/** The patches of the Kubernetes API (API concepts, "Patch"): what an object is afterwards. Pure. */
import type { KubeObject } from '../resources/object.ts'
import type { Kind } from '../resources/kinds.ts'
import { applyJsonPatch } from './json-patch.ts'
import { mergePatch } from './merge-patch.ts'
import { StoreError, type Patch } from './store.ts'

/** Throws StoreError `BadRequest` when the patch does not fit. */
export function applyPatch(kind: Kind, current: KubeObject, patch: Patch): KubeObject {
  switch (patch.type) {
    case 'merge':
    case 'strategic':
      return mergePatch(current, patch.body) as KubeObject
    case 'json':
      return applyJsonPatch(current, patch.body) as KubeObject
    case 'apply':
      throw new StoreError('UnsupportedMediaType', `server-side apply of ${kind.kind} goes through the API`)
  }
}
