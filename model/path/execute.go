package path

import "net/netip"

// Next gives the position of the first rule of the chain at or after from that
// can match a packet for destination, len(Rules) when none can: what executes a
// program need not test the others.
func (c *Chain) Next(from int, destination netip.AddrPort) int { return c.next(from, destination) }
