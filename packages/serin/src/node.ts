/** The package's door for programs: what `serin up` and `serin gateway` do, as functions. */
export { type Control, type ControlOptions, SerinRunsAlready, startControl } from './control.ts'
export { type GatewayProcessOptions, runGateway } from './gateway-process.ts'
export { VERSION } from './version.ts'
