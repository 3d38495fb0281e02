package oracle

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"svctour/model"
	"svctour/model/dns"
)

// hostsFile is what kubelet writes for the Pod of compareHosts
// (pkg/kubelet/kubelet_pods.go, managedHostsFileContent).
const hostsFile = `# Kubernetes-managed hosts file.
127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
fe00::0	ip6-localnet
fe00::0	ip6-mcastprefix
fe00::1	ip6-allnodes
fe00::2	ip6-allrouters
10.244.1.20	tmp.sub.default.svc.cluster.local	tmp
fd00::20	tmp.sub.default.svc.cluster.local	tmp

# Entries added by HostAliases.
10.1.2.3	db.corp	db
fd00::3	six.corp	db.corp
10.1.2.4	tmp	four.corp
`

// compareHosts looks names up that a Pod's /etc/hosts may have: the addresses
// are the file's and no server is asked, or one is.
func (w *resolverWorld) compareHosts(t *testing.T, libc dns.Libc, program string) {
	t.Helper()
	for name, text := range map[string]string{"hosts": hostsFile, "nsswitch.conf": "hosts: files dns\n", "resolv.conf": podConf} {
		before, err := os.ReadFile(filepath.Join(w.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		write := func(text []byte) {
			if err := os.WriteFile(filepath.Join(w.dir, name), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write([]byte(text))
		defer write(before)
	}
	s := model.NewSnapshot(model.Snapshot{
		DNS: model.DNS{Domain: "cluster.local", Servers: []string{"127.0.0.1"}, Serving: true, Evidence: model.Derived},
		Pods: []*model.Pod{{
			Meta: model.Meta{Namespace: "default", Name: "tmp"}, Phase: "Running", IPs: []string{"10.244.1.20", "fd00::20"}, Subdomain: "sub",
			HostAliases: []model.HostAlias{
				{IP: "10.1.2.3", Hostnames: []string{"db.corp", "db"}}, {IP: "fd00::3", Hostnames: []string{"six.corp", "db.corp"}}, {IP: "10.1.2.4", Hostnames: []string{"tmp", "four.corp"}},
			},
		}},
	})
	for _, name := range []string{
		"db.corp", "DB.corp", "db.corp.", "db", "six.corp", "four.corp", "tmp", "Tmp", "tmp.", "tmp.sub", "tmp.sub.default.svc.cluster.local",
		"localhost", "LOCALHOST", "localhost.", "ip6-localhost", "ip6-allrouters", "b.corp", "corp", "nosuch.corp", "xdb.corp",
	} {
		for _, server := range w.servers {
			server.table, server.asked = func(int, string, string) dns.Outcome { return dns.NoName }, nil
		}
		out, err := exec.CommandContext(t.Context(), program, name, "addresses").CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		w.servers[0].settle(t)
		got := strings.Fields(string(out))
		slices.Sort(got)
		resolution, err := dns.Resolve(s, dns.Request{From: "pod/tmp", Name: name, Libc: libc})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{}
		for _, r := range resolution.Answers {
			want = append(want, r.Data)
		}
		if len(want) == 0 {
			want = append(want, "none")
		}
		slices.Sort(want)
		if asked := len(w.servers[0].asked) > 0; !slices.Equal(got, want) || asked != (len(resolution.Queries) > 0) {
			t.Errorf("%s %q: %v, a server was asked: %v; the model says %v, %d queries", libc, name, got, asked, want, len(resolution.Queries))
		}
	}
}
