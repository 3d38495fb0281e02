package reach

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/streaming/pkg/httpstream/wsstream"

	"svctour/cluster"
	"svctour/model"
	"svctour/model/path"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const proxyPods = `{"kind":"PodList","apiVersion":"v1","items":[
 {"metadata":{"name":"kube-proxy-old","namespace":"kube-system"},"spec":{"containers":[{"name":"kube-proxy"}]},"status":{"phase":"Failed"}},
 {"metadata":{"name":"kube-proxy-x","namespace":"kube-system"},"spec":{"containers":[{"name":"kube-proxy"}]},"status":{"phase":"Running"}}]}`

const statusText = `{"kind":"Status","apiVersion":"v1","status":"Failure","message":%q,"reason":%q,"code":%d}`

const serverConfig = `apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: %q}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
`

func answer(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

// execServer answers a list of Pods with list, and every exec by running run,
// as a kubelet does over WebSocket with v5.channel.k8s.io: channel 1 is stdout,
// 2 stderr, 3 the status (k8s.io/client-go/tools/remotecommand).
func execServer(t *testing.T, list http.HandlerFunc, run func(command []string) (stdout, stderr, status string)) *cluster.Connection {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/namespaces/kube-system/pods", func(w http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query(); q.Get("labelSelector") != "k8s-app=kube-proxy" || q.Get("fieldSelector") != "spec.nodeName=node-1" {
			t.Errorf("lists with %q", r.URL.RawQuery)
		}
		list(w, r)
	})
	mux.HandleFunc("/api/v1/namespaces/kube-system/pods/kube-proxy-x/exec", func(w http.ResponseWriter, r *http.Request) {
		if run == nil {
			answer(http.StatusForbidden, fmt.Sprintf(statusText, "pods \"kube-proxy-x\" is forbidden: no create on pods/exec", "Forbidden", 403))(w, r)
			return
		}
		channels := []wsstream.ChannelType{wsstream.IgnoreChannel, wsstream.WriteChannel, wsstream.WriteChannel, wsstream.WriteChannel, wsstream.IgnoreChannel}
		conn := wsstream.NewConn(map[string]wsstream.ChannelProtocolConfig{"v5.channel.k8s.io": {Binary: true, Channels: channels}})
		_, streams, err := conn.Open(w, r)
		if err != nil {
			t.Errorf("open the streams: %v", err)
			return
		}
		defer conn.Close()
		for i, text := range func() []string { a, b, c := run(r.URL.Query()["command"]); return []string{a, b, c} }() {
			if text != "" {
				fmt.Fprint(streams[i+1], text)
			}
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, fmt.Appendf(nil, serverConfig, server.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Connect(t.Context(), cluster.Options{Kubeconfig: config})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

const success = `{"metadata":{},"status":"Success"}`

func TestObserve(t *testing.T) {
	var mu sync.Mutex
	var ran []string
	c := execServer(t, answer(200, proxyPods), func(command []string) (string, string, string) {
		mu.Lock()
		defer mu.Unlock()
		ran = append(ran, strings.Join(command, " "))
		if command[0] == "nft" {
			return "table " + command[3] + " kube-proxy {\n\tchain services {\n\t\tcounter packets 3 bytes 180 drop\n\t}\n}\n", "", success
		}
		if command[0] == "ipset" {
			return "create KUBE-IPVS-IPS hash:ip family inet\ncreate KUBE-6-IPVS-IPS hash:ip family inet6\n", "", success
		}
		return "*nat\n:KUBE-SERVICES - [0:0]\n[3:180] -A KUBE-SERVICES -j RETURN\nCOMMIT\n", "", success
	})
	for _, family := range []path.Family{path.IPv4, path.IPv6} {
		for mode, rule := range map[string][3]string{"": {"nat", "KUBE-SERVICES", "-j RETURN"}, path.ModeIPVS: {"nat", "KUBE-SERVICES", "-j RETURN"}, path.ModeNFTables: {"kube-proxy", "services", "drop"}} {
			w := path.NewWatch("node-1", family)
			if err := Observe(t.Context(), c, w.Ask(mode, nil, time.Now(), false), w.Read); err != nil {
				t.Fatal(err)
			}
			if got, ok := w.Seen(model.NewSnapshot(model.Snapshot{})).Counter(rule[0], rule[1], rule[2]); !ok || got != (path.Counter{Packets: 3, Bytes: 180}) {
				t.Errorf("%v %v", got, ok)
			}
		}
	}
	slices.Sort(ran)
	if got := strings.Join(ran, ", "); got != "ip6tables-save -c, ip6tables-save -c, ipset save, ipset save, iptables-save -c, iptables-save -c, nft list table ip kube-proxy, nft list table ip6 kube-proxy" {
		t.Errorf("ran %s", got)
	}
}

// Chains are read one by one, several at a time and each listing for itself; one
// that the node does not have is no failure, and one of which iptables does not
// say whether it is there is left out.
func TestObserveChains(t *testing.T) {
	long := strings.Repeat("-A KUBE-SVC-A -m comment --comment \"some rule\" -c 1 2 -j RETURN\n", 20000)
	c := execServer(t, answer(200, proxyPods), func(command []string) (string, string, string) {
		switch name := command[4]; name {
		case "KUBE-GONE":
			return "", "iptables: No chain/target/match by that name.\n", fmt.Sprintf(exited, 1, 1)
		case "KUBE-UNCLEAR":
			return "", "iptables v1.8.9 (nf_tables): table `nat' is incompatible, use 'nft' tool.\n", fmt.Sprintf(exited, 1, 1)
		case "KUBE-SVC-A":
			return "-N KUBE-SVC-A\n" + long, "", success
		default:
			return "-N " + name + "\n-A " + name + " -c 3 180 -j RETURN\n", "", success
		}
	})
	ask := path.Ask{Node: "node-1", Mode: path.ModeIPTables, Family: path.IPv4}
	for _, name := range []string{"KUBE-SERVICES", "KUBE-GONE", "KUBE-UNCLEAR", "KUBE-SVC-A", "KUBE-SVC-B", "KUBE-SVC-C", "KUBE-SVC-D"} {
		ask.Chains = append(ask.Chains, path.ChainID{Table: "nat", Chain: name})
	}
	got := map[string]string{}
	reading := 0
	take := func(l path.Listing) error {
		if reading++; reading != 1 {
			t.Error("two listings are read at once")
		}
		defer func() { reading-- }()
		if l.Node != "node-1" || l.At.IsZero() || l.Absent != (l.Text == nil) {
			t.Errorf("%+v", l)
		}
		if !l.Absent {
			text, err := io.ReadAll(l.Text)
			if err != nil {
				return err
			}
			got[l.Chain.Chain] = string(text)
		} else {
			got[l.Chain.Chain] = "absent"
		}
		return nil
	}
	if err := Observe(t.Context(), c, ask, take); err != nil {
		t.Fatal(err)
	}
	if len(got) != 6 || got["KUBE-GONE"] != "absent" || len(got["KUBE-SVC-A"]) != len(long)+len("-N KUBE-SVC-A\n") {
		t.Errorf("%d listings", len(got))
	}
	refused := errors.New("no more")
	if err := Observe(t.Context(), c, ask, func(path.Listing) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("%v", err)
	}
}

const exited = `{"metadata":{},"status":"Failure","reason":"NonZeroExitCode","message":"command terminated with exit code %d","details":{"causes":[{"reason":"ExitCode","message":"%d"}]}}`

func TestObserveSaysWhyItCannot(t *testing.T) {
	forbidden := answer(http.StatusForbidden, fmt.Sprintf(statusText, `pods is forbidden: User "u" cannot list resource "pods"`, "Forbidden", 403))
	failed := func(stderr string) func([]string) (string, string, string) {
		return func([]string) (string, string, string) {
			return "", stderr, fmt.Sprintf(exited, 4, 4)
		}
	}
	for name, test := range map[string]struct {
		list http.HandlerFunc
		run  func([]string) (string, string, string)
		want []string
	}{
		"list":     {forbidden, nil, []string{"cannot list resource"}},
		"no Pod":   {answer(200, `{"kind":"PodList","apiVersion":"v1","items":[]}`), nil, []string{"no Pod labelled k8s-app=kube-proxy runs on node \"node-1\""}},
		"exec":     {answer(200, proxyPods), nil, []string{"kube-system/kube-proxy-x", "forbidden"}},
		"fails":    {answer(200, proxyPods), failed("iptables: you must be root"), []string{"exit code 4", "you must be root"}},
		"no rules": {answer(200, proxyPods), func([]string) (string, string, string) { return "", "", success }, []string{"no table"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := execServer(t, test.list, test.run)
			w := path.NewWatch("node-1", path.IPv4)
			err := Observe(t.Context(), c, w.Ask("", nil, time.Now(), false), w.Read)
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %q", err, want)
				}
			}
		})
	}
}
