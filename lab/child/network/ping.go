package network

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/waiter"

	"svctour/lab/child/process"
)

// pings are the echo requests of a stack that wait for an answer, by their
// identifier: gVisor's ICMP sockets do not tell of errors.
type pings struct {
	mu      sync.Mutex
	waiting map[uint16]chan syscall.Errno
}

func (w *pings) wait(id uint16) chan syscall.Errno {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting == nil {
		w.waiting = map[uint16]chan syscall.Errno{}
	}
	failed := make(chan syscall.Errno, 1)
	w.waiting[id] = failed
	return failed
}

func (w *pings) done(id uint16) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.waiting, id)
}

// failed tells the sender of the echo request that an ICMP error quotes.
func (w *pings) failed(p *packet) {
	quoted := p.body()[8:]
	head := int(quoted[0]&15) * 4
	if head < 20 || len(quoted) < head+8 || quoted[9] != protocolICMP {
		return
	}
	code := syscall.EHOSTUNREACH
	switch p.body()[1] {
	case icmpNetUnreachable:
		code = syscall.ENETUNREACH
	case icmpPortUnreach:
		code = syscall.ECONNREFUSED
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.waiting[binary.BigEndian.Uint16(quoted[head+4:])] <- code:
	default:
	}
}

// Ping sends one ICMP echo request and waits for its answer.
func (s *Stack) Ping(ctx context.Context, to netip.Addr, sequence, size int) (process.Echo, error) {
	var queue waiter.Queue
	endpoint, terr := s.stack.NewEndpoint(icmp.ProtocolNumber4, ipv4.ProtocolNumber, &queue)
	if terr != nil {
		return process.Echo{}, translate("socket", fmt.Errorf("%s", terr))
	}
	defer endpoint.Close()
	endpoint.SocketOptions().SetReceiveTTL(true)
	entry, ready := waiter.NewChannelEntry(waiter.ReadableEvents | waiter.EventErr | waiter.EventHUp)
	queue.EventRegister(&entry)
	defer queue.EventUnregister(&entry)
	if from := s.source(to); from.IsValid() && s.options.whole {
		if err := endpoint.Bind(tcpip.FullAddress{Addr: tcpip.AddrFrom4(from.As4())}); err != nil {
			return process.Echo{}, translate("bind", fmt.Errorf("%s", err))
		}
	}
	if err := endpoint.Connect(full(netip.AddrPortFrom(to, 0))); err != nil {
		return process.Echo{}, translate("connect", fmt.Errorf("%s", err))
	}
	local, terr := endpoint.GetLocalAddress()
	if terr != nil {
		return process.Echo{}, translate("getsockname", fmt.Errorf("%s", terr))
	}
	failed := s.pings.wait(local.Port)
	defer s.pings.done(local.Port)
	request := make([]byte, 8+max(size, 0))
	request[0] = icmpEchoRequest
	binary.BigEndian.PutUint16(request[6:], uint16(sequence))
	sent := time.Now()
	if _, err := endpoint.Write(&reader{request}, tcpip.WriteOptions{}); err != nil {
		return process.Echo{}, translate("sendto", fmt.Errorf("%s", err))
	}
	for {
		var answer sliceWriter
		result, err := endpoint.Read(&answer, tcpip.ReadOptions{NeedRemoteAddr: true})
		if err == nil && len(answer) >= 8 && binary.BigEndian.Uint16(answer[6:]) == uint16(sequence) {
			from, _ := netip.AddrFromSlice(result.RemoteAddr.Addr.AsSlice())
			return process.Echo{From: from, Took: time.Since(sent), TTL: int(result.ControlMessages.TTL)}, nil
		}
		select {
		case <-ctx.Done():
			return process.Echo{}, ctx.Err()
		case code := <-failed:
			return process.Echo{}, code
		case <-ready:
		}
	}
}
