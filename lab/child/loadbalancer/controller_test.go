package loadbalancer

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/afero"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"svctour/lab/child/process"
)

const patience = time.Minute

// board is where a test's announcements are.
type board struct {
	mu   sync.Mutex
	have map[netip.Addr]string
}

func (b *board) Announce(address netip.Addr, node string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.have[address] = node
	return nil
}

func (b *board) Withdraw(address netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.have, address)
}

func (b *board) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprint(b.have)
}

// lockedLog is a log that may be read while it is written.
type lockedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// eventually waits until get gives want.
func eventually(t *testing.T, what, want string, get func() string) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.After(patience); ; {
		got := get()
		if got == want {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("%s: got %q, want %q", what, got, want)
		}
	}
}

// TestControllerWithASmallPool goes through the life of three Services over a
// pool of one address: with the class of the lab, without one, with another's.
func TestControllerWithASmallPool(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	pool, err := ParsePool("10.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	class, other := Class, "example.com/other"
	first, second, foreign := balancer("first", ""), balancer("second", ""), balancer("foreign", "")
	first.Spec.LoadBalancerClass, foreign.Spec.LoadBalancerClass = &class, &other
	client := fake.NewClientset(node("n1", corev1.ConditionTrue), first)
	ctx, cancel := context.WithCancel(t.Context())
	announced, log, done := &board{have: map[netip.Addr]string{}}, &lockedLog{}, make(chan error, 1)
	go func() { done <- serve(ctx, client, pool, announced, log) }()

	services := client.CoreV1().Services("default")
	address := func(name string) func() string {
		return func() string {
			s, err := services.Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err.Error()
			}
			if len(s.Status.LoadBalancer.Ingress) == 0 {
				return ""
			}
			return fmt.Sprint(s.Status.LoadBalancer.Ingress[0].IP, " ", *s.Status.LoadBalancer.Ingress[0].IPMode, " ", s.Finalizers)
		}
	}
	const has = "10.0.0.1 VIP [service.kubernetes.io/load-balancer-cleanup]"
	eventually(t, "first", has, address("first"))
	eventually(t, "announcements", "map[10.0.0.1:n1]", announced.String)
	s, err := services.Get(ctx, "first", metav1.GetOptions{})
	if err != nil || s.Spec.LoadBalancerClass == nil || *s.Spec.LoadBalancerClass != Class {
		t.Errorf("the class is %v, %v", s.Spec.LoadBalancerClass, err)
	}

	for _, s := range []*corev1.Service{foreign, second} {
		if _, err := services.Create(ctx, s, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "event of the second", "Error syncing load balancer: failed to ensure load balancer: no address is free in the pool 10.0.0.1-10.0.0.1", func() string {
		events, err := client.CoreV1().Events("default").List(ctx, metav1.ListOptions{})
		if err != nil {
			return err.Error()
		}
		i := slices.IndexFunc(events.Items, func(e corev1.Event) bool {
			return e.InvolvedObject.Name == "second" && e.Reason == "SyncLoadBalancerFailed"
		})
		if i < 0 {
			return ""
		}
		return events.Items[i].Message
	})
	for _, name := range []string{"second", "foreign"} {
		if got := address(name)(); got != "" {
			t.Errorf("%s has %s", name, got)
		}
	}

	// The node goes: none announces the address. It comes back.
	if _, err := client.CoreV1().Nodes().Update(ctx, node("n1", corev1.ConditionUnknown), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "announcements", "map[]", announced.String)
	if _, err := client.CoreV1().Nodes().Update(ctx, node("n1", corev1.ConditionTrue), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "announcements", "map[10.0.0.1:n1]", announced.String)

	// The first is no load balancer any more: its address is free again.
	s, err = services.Get(ctx, "first", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.Spec.Type, s.Spec.LoadBalancerClass = corev1.ServiceTypeClusterIP, nil
	if _, err := services.Update(ctx, s, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "first", "", address("first"))
	eventually(t, "second", has, address("second"))

	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := announced.String(); got != "map[]" {
		t.Errorf("left behind: %s", got)
	}
	for _, want := range []string{
		"default/first: assigned address 10.0.0.1", "default/second: no address is free", "10.0.0.1: announced from n1",
		"10.0.0.1: no longer announced from n1", "default/first: released address 10.0.0.1", "default/second: assigned address 10.0.0.1",
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, log)
		}
	}
}

func TestMainRefuses(t *testing.T) {
	for arguments, want := range map[string]struct {
		status int
		says   string
	}{
		"":                     {1, "find the API server: unable to load in-cluster configuration"},
		"--pool=x":             {2, `load-balancer: address pool "x": want FIRST-LAST`},
		"--colour=red":         {2, "flag provided but not defined: -colour"},
		"--pool=10.0.0.9-fd::": {2, "the lab has IPv4 only"},
	} {
		var out lockedLog
		p := &process.Process{
			Args: append([]string{"load-balancer"}, strings.Fields(arguments)...), Stdout: &out, Stderr: &out,
			Signals: make(chan process.Signal), Files: afero.NewMemMapFs(),
		}
		if status := Main(nil)(t.Context(), p); status != want.status || !strings.Contains(out.String(), want.says) {
			t.Errorf("%q: status %d, says %q", arguments, status, out.String())
		}
	}
}

// failing cannot announce anything.
type failing struct{ board }

func (*failing) Announce(netip.Addr, string) error { return errors.New("no such node") }

func TestAnnouncementThatFailsIsLogged(t *testing.T) {
	pool, err := ParsePool("10.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	log, done := &lockedLog{}, make(chan error, 1)
	go func() {
		done <- serve(ctx, fake.NewClientset(node("n1", corev1.ConditionTrue), balancer("a", "10.0.0.1")), pool, &failing{}, log)
	}()
	eventually(t, "the log", "true", func() string {
		return fmt.Sprint(strings.Contains(log.String(), "10.0.0.1: announce it from n1: no such node"))
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRoutes(t *testing.T) {
	type machine struct{ name string }
	n1, have, address := &machine{"n1"}, map[netip.Addr]*machine{}, netip.MustParseAddr("10.0.0.1")
	a := Routes(func(name string) *machine {
		if name == n1.name {
			return n1
		}
		return nil
	}, func(address netip.Addr, m *machine) { have[address] = m })
	if err := a.Announce(address, "n1"); err != nil || have[address] != n1 {
		t.Errorf("announced from %v, %v", have[address], err)
	}
	if err := a.Announce(address, "n2"); err == nil || have[address] != n1 {
		t.Errorf("a node that there is not: %v, %v", have[address], err)
	}
	if a.Withdraw(address); have[address] != nil {
		t.Errorf("withdrawn, and at %v", have[address])
	}
}
