/** Writes the expected halves of all golden files anew. Run by scripts/golden.mjs. */
import { writeFileSync } from 'node:fs'
import { readGoldens, render } from './golden.ts'

for (const golden of readGoldens()) writeFileSync(golden.expectedFile, render(golden))
