import { shop } from './app.ts'

const app = shop({ logger: true })
await app.listen({ host: process.env['HOST'] ?? '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })
