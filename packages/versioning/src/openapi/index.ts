/** `@serin/versioning/openapi`: comparing documents. No dependencies. */

export { printChanges, specChangeCodes, type ChangeLevel, type SpecChange, type SpecChangeCode } from './changes.ts'
export { breakingChanges, compareDocuments } from './compare.ts'
export { operationsOf, type JsonObject, type OpenApiDocument, type Operation } from './document.ts'
