/** `serin apply`: resources of files, created or changed. Either all files are right, or nothing is written. */
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'

import { dataDirectory } from '../data-directory.ts'
import { type ImageDirectories, recordImages } from '../image-directories.ts'
import { applyResource } from './apply-resources.ts'
import { findKubeconfig, namespaceOf, openClient } from './client.ts'
import { type Invocation, usageError } from './command.ts'
import { EXIT } from './exit.ts'
import { gatewayObjects } from './gateway-objects.ts'
import { printChanged } from './patch.ts'
import { readResources } from './resource-files.ts'
import { displayName } from './targets.ts'

export async function apply(invocation: Invocation): Promise<number> {
  const paths = invocation.strings('filename')
  if (paths.length === 0) throw usageError(invocation.command, 'say which files: -f PATH')
  const client = openClient(invocation)
  try {
    const files = await readResources(paths, {
      imageFlags: invocation.strings('image'),
      known: await gatewayObjects(client),
    })
    const dryRun = invocation.boolean('dry-run')
    if (!dryRun) recordFor(findKubeconfig(invocation), files.images)
    for (const resource of files.resources) {
      const { outcome, object } = await applyResource(client, resource, { namespace: namespaceOf(invocation), dryRun })
      const name = displayName(resource.kind, resource.object.metadata.name)
      printChanged(invocation, object, `${name} ${outcome}${dryRun ? ' (dry run)' : ''}`)
    }
    return EXIT.done
  } finally {
    client.close()
  }
}

/** Images are directories for a serin of this machine only: its kubeconfig stands in its data directory. */
function recordFor(kubeconfig: string, images: ImageDirectories): void {
  const data = dataDirectory(dirname(kubeconfig))
  if (existsSync(data.tokens)) recordImages(data.images, images)
}
