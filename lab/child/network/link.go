package network

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

const (
	linkMTU = 1500
	// linkQueue is how many packets wait for a stack before more are lost, as
	// in the queue of a network card.
	linkQueue = 1024
)

// link is a stack's end of its wire. What the stack sends goes out in the
// goroutine that sends it; what comes waits in a queue, so that no stack is
// entered from within another.
type link struct {
	options stackOptions
	life    context.Context
	end     context.CancelFunc
	queue   chan []byte

	mu         sync.RWMutex
	dispatcher stack.NetworkDispatcher
}

var _ stack.LinkEndpoint = (*link)(nil)

func newLink(options stackOptions) *link {
	life, end := context.WithCancel(context.Background())
	return &link{options: options, life: life, end: end, queue: make(chan []byte, linkQueue)}
}

// enqueue hands the stack a packet; its bytes are the link's from now on.
func (l *link) enqueue(data []byte) {
	select {
	case <-l.life.Done():
	case l.queue <- data:
	default: // lost
	}
}

// receive gives the stack what comes, until the link is closed.
func (l *link) receive() {
	for {
		select {
		case <-l.life.Done():
			return
		case data := <-l.queue:
			l.mu.RLock()
			dispatcher := l.dispatcher
			l.mu.RUnlock()
			if dispatcher == nil {
				continue
			}
			p := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(data)})
			dispatcher.DeliverNetworkPacket(header.IPv4ProtocolNumber, p)
			p.DecRef()
		}
	}
}

func (l *link) close() { l.end() }

// WritePackets sends what the stack has to send.
func (l *link) WritePackets(list stack.PacketBufferList) (int, tcpip.Error) {
	if l.life.Err() != nil {
		return 0, &tcpip.ErrClosedForSend{}
	}
	sent := 0
	for _, out := range list.AsSlice() {
		sent++
		if p := newPacket(append([]byte(nil), out.ToView().AsSlice()...)); p != nil {
			l.options.out(p)
		}
	}
	return sent, nil
}

// The rest of stack.LinkEndpoint: a wire without a link layer.

func (l *link) MTU() uint32                             { return linkMTU }
func (l *link) SetMTU(uint32)                           {}
func (l *link) MaxHeaderLength() uint16                 { return 0 }
func (l *link) LinkAddress() tcpip.LinkAddress          { return "" }
func (l *link) SetLinkAddress(tcpip.LinkAddress)        {}
func (l *link) Wait()                                   {}
func (l *link) Close()                                  {}
func (l *link) SetOnCloseAction(func())                 {}
func (l *link) AddHeader(*stack.PacketBuffer)           {}
func (l *link) ParseHeader(*stack.PacketBuffer) bool    { return true }
func (l *link) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareNone }
func (l *link) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityTXChecksumOffload | stack.CapabilityRXChecksumOffload
}

func (l *link) Attach(dispatcher stack.NetworkDispatcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dispatcher = dispatcher
}

func (l *link) IsAttached() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.dispatcher != nil
}

// mac is the address that ip addr shows: made from the IP address, as many CNI
// plugins do it.
func (l *link) mac() net.HardwareAddr { return macOf(l.options.addresses[0].Addr()) }

func macOf(address netip.Addr) net.HardwareAddr {
	bytes := address.As4()
	return net.HardwareAddr{0x0a, 0x58, bytes[0], bytes[1], bytes[2], bytes[3]}
}

// reader is a tcpip.Payloader over bytes.
type reader struct{ rest []byte }

func (r *reader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *reader) Len() int { return len(r.rest) }

// sliceWriter keeps what is written to it.
type sliceWriter []byte

func (w *sliceWriter) Write(p []byte) (int, error) {
	*w = append(*w, p...)
	return len(p), nil
}
