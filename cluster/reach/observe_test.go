package reach

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"k8s.io/streaming/pkg/httpstream/wsstream"

	"svctour/cluster"
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
	var ran []string
	c := execServer(t, answer(200, proxyPods), func(command []string) (string, string, string) {
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
			o, err := Observe(t.Context(), c, "node-1", mode, family)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := o.Counter(rule[0], rule[1], rule[2]); !ok || got != (path.Counter{Packets: 3, Bytes: 180}) {
				t.Errorf("%v %v", got, ok)
			}
		}
	}
	slices.Sort(ran)
	if got := strings.Join(ran, ", "); got != "ip6tables-save -c, ip6tables-save -c, ipset save, ipset save, iptables-save -c, iptables-save -c, nft list table ip kube-proxy, nft list table ip6 kube-proxy" {
		t.Errorf("ran %s", got)
	}
}

func TestObserveSaysWhyItCannot(t *testing.T) {
	forbidden := answer(http.StatusForbidden, fmt.Sprintf(statusText, `pods is forbidden: User "u" cannot list resource "pods"`, "Forbidden", 403))
	failed := func(stderr string) func([]string) (string, string, string) {
		return func([]string) (string, string, string) {
			return "", stderr, `{"metadata":{},"status":"Failure","reason":"NonZeroExitCode","message":"command terminated with exit code 4","details":{"causes":[{"reason":"ExitCode","message":"4"}]}}`
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
			_, err := Observe(t.Context(), c, "node-1", "", path.IPv4)
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %q", err, want)
				}
			}
		})
	}
}
