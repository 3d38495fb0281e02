package network

import (
	"context"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"svctour/model"
)

// TestFragments sends more than fits into the MTU: Linux puts fragments together
// before conntrack (net/ipv4/netfilter/nf_defrag_ipv4.c), so that only whole
// datagrams meet rules and are counted.
func TestFragments(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		l := newLab(t)
		client, server := l.pod(1, 5), l.pod(2, 6)
		l.service("dns", "10.96.0.10", func(s *model.Service) { s.Ports[0].Protocol = "UDP" }, "10.244.1.6")
		l.install(mode)
		for _, to := range []string{"10.244.1.6", "172.18.0.3"} {
			for _, size := range []int{1473, 4000, 60000} {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				if _, err := client.Ping(ctx, netip.MustParseAddr(to), 1, size); err != nil {
					t.Errorf("ping -s %d %s: %v", size, to, err)
				}
				cancel()
			}
		}
		l.echo(server, "")
		conn, err := client.DialContext(t.Context(), "udp", "10.96.0.10:80")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		sent := []byte(strings.Repeat("0123456789", 500))
		if _, err := conn.Write(sent); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 1<<16)
		n, err := conn.Read(buffer)
		if err != nil || string(buffer[:n]) != string(sent) {
			t.Errorf("%d of %d bytes came back, %v", n, len(sent), err)
		}
		lines := l.Node("node-1").ListConnections()
		if !slices.ContainsFunc(lines, func(line string) bool {
			return strings.Contains(line, "dst=10.96.0.10 ") && strings.Contains(line, "packets=1 bytes=5028 ")
		}) {
			t.Errorf("conntrack -L:\n%s", strings.Join(lines, "\n"))
		}
	})
}

// cut is a UDP datagram of size bytes in fragments of at most 1480.
func cut(id uint16, size int) []*packet {
	var out []*packet
	for at := 0; at < size; at += 1480 {
		n := min(1480, size-at)
		data := make([]byte, 20+n)
		data[0], data[8], data[9] = 0x45, 64, protocolUDP
		binary.BigEndian.PutUint16(data[2:], uint16(len(data)))
		binary.BigEndian.PutUint16(data[4:], id)
		field := uint16(at / 8)
		if at+n < size {
			field |= moreFragments
		}
		binary.BigEndian.PutUint16(data[6:], field)
		for i := range n {
			data[20+i] = byte((at + i) % 251)
		}
		out = append(out, newPacket(data))
	}
	return out
}

func TestJoiningFragments(t *testing.T) {
	now := time.Unix(1000, 0)
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {0, 0, 2, 1}} {
		f, pieces := fragments{}, cut(7, 3000)
		var whole *packet
		for i, n := range order {
			whole = f.whole(pieces[n], now)
			if (whole != nil) != (i == len(order)-1) {
				t.Fatalf("order %v: whole after piece %d: %v", order, i, whole != nil)
			}
		}
		if len(whole.data) != 3020 || sum(whole.data[:20]) != 0 || binary.BigEndian.Uint16(whole.data[6:]) != 0 || len(f) != 0 {
			t.Errorf("order %v: %d bytes, %d left", order, len(whole.data), len(f))
		}
		for i, b := range whole.body() {
			if b != byte(i%251) {
				t.Fatalf("order %v: byte %d is %d", order, i, b)
			}
		}
	}
	f := fragments{}
	for id := range uint16(2 * fragmentsMax) {
		if f.whole(cut(id, 3000)[0], now) != nil {
			t.Fatal("a part is no whole")
		}
	}
	if len(f) != fragmentsMax {
		t.Errorf("%d wait, want %d", len(f), fragmentsMax)
	}
	later := now.Add(fragmentTime + time.Second)
	if f.whole(cut(500, 3000)[0], later); len(f) != 1 {
		t.Errorf("%d wait after their time, want 1", len(f))
	}
	for name, spoil := range map[string]func([]*packet){
		"overlap": func(p []*packet) { binary.BigEndian.PutUint16(p[1].data[6:], 100|moreFragments) },
		"no end":  func(p []*packet) { binary.BigEndian.PutUint16(p[2].data[6:], 370|moreFragments) },
		"beyond":  func(p []*packet) { binary.BigEndian.PutUint16(p[2].data[6:], fragmentMask) },
	} {
		f, pieces := fragments{}, cut(9, 3000)
		spoil(pieces)
		for i, p := range pieces {
			if f.whole(p, now) != nil {
				t.Errorf("%s: whole after piece %d", name, i)
			}
		}
	}
}
