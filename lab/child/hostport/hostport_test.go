package hostport

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/client-go/kubernetes/fake"

	asked "svctour/lab/hostport"
)

const patience = time.Minute

// echo is a server inside the lab; it answers a line once the client has ended.
func echo(t *testing.T) Dial {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				said, _ := io.ReadAll(conn)
				fmt.Fprintf(conn, "you said %s", said)
			}()
		}
	}()
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != "172.18.0.2:30080" {
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
		}
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, listener.Addr().String())
	}
}

// freePort is a port that is free at the moment.
func freePort(t *testing.T) uint16 {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).AddrPort().Port()
}

func ask(t *testing.T, port uint16) (string, error) {
	t.Helper()
	conn, err := net.Dial("tcp4", netip.AddrPortFrom(asked.Loopback, port).String())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, "hello"); err != nil {
		return "", err
	}
	conn.(*net.TCPConn).CloseWrite()
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

func TestForward(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("", func(t *testing.T) { // its clean-up comes before the look for leaks
		ctx, cancel := context.WithCancel(t.Context())
		forwarder := New(ctx, echo(t))
		defer forwarder.Wait()
		defer cancel()
		good := asked.Mapping{Port: freePort(t), To: netip.MustParseAddrPort("172.18.0.2:30080")}
		if states := forwarder.Set([]asked.Mapping{good}); len(states) != 1 || states[0].Problem != "" {
			t.Fatalf("got %v", states)
		}
		if answer, err := ask(t, good.Port); answer != "you said hello" || err != nil {
			t.Errorf("got %q, %v", answer, err)
		}
		refused := asked.Mapping{Port: freePort(t), To: netip.MustParseAddrPort("172.18.0.2:30081")}
		forwarder.Set([]asked.Mapping{good, refused})
		if _, err := ask(t, refused.Port); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
			t.Errorf("to a port that refuses: %v, want a reset", err)
		}
		if states := forwarder.Set(nil); len(states) != 0 {
			t.Errorf("got %v", states)
		}
		if _, err := ask(t, good.Port); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a port that is closed: %v", err)
		}
	})
}

func TestTakenPort(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).AddrPort().Port()
	ctx, cancel := context.WithCancel(t.Context())
	forwarder := New(ctx, echo(t))
	defer forwarder.Wait()
	defer cancel()
	m := []asked.Mapping{{Port: port, To: netip.MustParseAddrPort("172.18.0.2:30080")}}
	if got, want := forwarder.Set(m)[0].Problem, fmt.Sprintf("port %d of this machine is taken by another program", port); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := asked.Check(ctx, m[0]); err == nil {
		t.Error("a taken port passes the check")
	}
	listener.Close()
	if err := asked.Check(ctx, m[0]); err != nil {
		t.Error(err)
	}
	if got := forwarder.Set(m)[0].Problem; got != "" {
		t.Errorf("once free: %q", got)
	}
}

func TestConnectionsEndWithTheLab(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	forwarder := New(ctx, echo(t))
	m := asked.Mapping{Port: freePort(t), To: netip.MustParseAddrPort("172.18.0.2:30080")}
	if state := forwarder.Set([]asked.Mapping{m})[0]; state.Problem != "" {
		t.Fatal(state)
	}
	conn, err := net.Dial("tcp4", m.Listen().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cancel()
	forwarder.Wait()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := bufio.NewReader(conn).ReadByte(); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the connection is still there: %v", err)
	}
	if got := forwarder.Set([]asked.Mapping{{Port: freePort(t), To: m.To}})[0].Problem; got != "the lab is ending" {
		t.Errorf("a port of a lab that has ended: %q", got)
	}
}

func TestRunFollowsTheConfigMap(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client, states, done := fake.NewClientset(), make(chan []asked.State), make(chan error, 1)
	go func() {
		done <- Run(ctx, client, echo(t), func(s []asked.State) {
			select {
			case states <- s:
			case <-ctx.Done():
			}
		})
	}()
	until := func(want string) {
		t.Helper()
		for timeout := time.After(patience); ; {
			select {
			case s := <-states:
				if fmt.Sprint(s) == want {
					return
				}
			case err := <-done:
				t.Fatal(err)
			case <-timeout:
				t.Fatalf("never %s", want)
			}
		}
	}
	// The fake client loses what happens between the list and the watch, a
	// server does not.
	for deadline := time.After(patience); !watched(client); {
		select {
		case <-time.After(time.Millisecond):
		case <-deadline:
			t.Fatal("the ConfigMap is not watched")
		}
	}
	m := asked.Mapping{Port: freePort(t), To: netip.MustParseAddrPort("172.18.0.2:30080")}
	if err := asked.Expose(ctx, client, m); err != nil {
		t.Fatal(err)
	}
	until(fmt.Sprintf("[{127.0.0.1:%d 172.18.0.2:30080 }]", m.Port))
	if answer, err := ask(t, m.Port); answer != "you said hello" || err != nil {
		t.Errorf("got %q, %v", answer, err)
	}
	for _, want := range []bool{true, false} {
		if had, err := asked.Unexpose(ctx, client, m.Port); had != want || err != nil {
			t.Errorf("unexpose: %v, %v, want %v", had, err, want)
		}
		if want {
			until("[]")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func watched(client *fake.Clientset) bool {
	for _, action := range client.Actions() {
		if action.GetVerb() == "watch" {
			return true
		}
	}
	return false
}
