/** Who may come in at all (Module ip_allow, ip_deny): compared before a route is looked for, as Envoy's RBAC filter is. Pure. */
import { BlockList, isIP } from 'node:net'
import type { IpRule, Settings } from '../model/settings.ts'

export class IpFilter {
  private readonly allows: boolean
  private readonly peers: BlockList | null
  private readonly remotes: BlockList | null

  constructor({ kind, rules }: NonNullable<Settings['ipFilter']>) {
    this.allows = kind === 'allow'
    this.peers = listOf(rules, 'peer')
    this.remotes = listOf(rules, 'remote')
  }

  /** `peer`: of the TCP connection; `remote`: the client behind trusted proxies. */
  admits(peer: string, remote: string): boolean {
    return (holds(this.peers, peer) || holds(this.remotes, remote)) === this.allows
  }
}

function listOf(rules: readonly IpRule[], of: IpRule['of']): BlockList | null {
  const own = rules.filter((rule) => rule.of === of)
  if (own.length === 0) return null
  const list = new BlockList()
  for (const { cidr } of own) {
    const [address = '', length] = cidr.split('/')
    list.addSubnet(address, Number(length), isIP(address) === 6 ? 'ipv6' : 'ipv4')
  }
  return list
}

function holds(list: BlockList | null, address: string): boolean {
  const version = isIP(address)
  return list !== null && version !== 0 && list.check(address, version === 6 ? 'ipv6' : 'ipv4')
}
