package nettool

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"svctour/lab/child/process"
)

// saved is a kernel that has what a real one printed.
type saved struct{ tables, ruleset string }

func (s saved) SaveRules(table string, _ bool) string {
	_, text, has := strings.Cut(s.tables, "*"+table+"\n")
	if !has {
		return ""
	}
	text, _, _ = strings.Cut(text, "COMMIT\n")
	return text
}
func (s saved) ListRuleset() string                               { return s.ruleset }
func (s saved) ListConnections() []string                         { return nil }
func (s saved) ForgetConnections(func(line string) bool) []string { return nil }

// real runs commands in a network of their own, and gives what each prints.
func real(t *testing.T, rules string, commands ...string) []string {
	t.Helper()
	const between = "\n=====\n"
	script := rules
	for _, c := range commands {
		script += "\n" + c + " 2>&1; printf '\\n=====\\n'"
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin", "XTABLES_LOCKFILE="+filepath.Join(t.TempDir(), "lock"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSPC) {
		t.Skipf("no namespaces here: %v", err)
	}
	if text := string(out); err != nil || strings.Contains(text, "not found") || strings.Contains(text, "not permitted") || strings.Contains(text, "Permission denied") {
		t.Skipf("the tools are missing or not permitted here (Debian has them in iptables and nftables): %v %s", err, text)
	}
	return strings.Split(strings.TrimSuffix(string(out), between), between)
}

// requireLike fails unless the lab's tools print what the real ones do.
func requireLike(t *testing.T, kernel saved, commands, printed []string) {
	t.Helper()
	for i, line := range commands {
		var out bytes.Buffer
		p := &process.Process{Args: strings.Fields(line), Dir: "/", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Signals: make(chan process.Signal), Kernel: kernel}
		Node[p.Args[0]](t.Context(), p)
		if got := out.String(); got != printed[i] {
			t.Errorf("%s:\n%s\nthe real one:\n%s", line, got, printed[i])
		}
	}
}

func TestIPTablesListsAsTheRealOne(t *testing.T) {
	commands := []string{
		"iptables-save -c", "iptables -t nat -S KUBE-SERVICES -v", "iptables -t nat -S PREROUTING -v", "iptables -t nat -S KUBE-SVC-A -v",
		"iptables -t nat -S KUBE-EMPTY -v", "iptables -t nat -S KUBE-POSTROUTING -v", "iptables -t nat -S KUBE-GONE -v", "iptables -S KUBE-GONE",
		"iptables -t nat -S -v", "iptables -t nat -S", "iptables -S FORWARD",
	}
	printed := real(t, `iptables-restore <<'X'
*filter
:KUBE-FORWARD - [0:0]
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
COMMIT
*nat
:KUBE-SERVICES - [0:0]
:KUBE-SVC-A - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-EMPTY - [0:0]
[7:420] -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "default/a:x \"q\" -j cluster IP" -m tcp --dport 80 -j KUBE-SVC-A
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -g KUBE-SVC-A
-A KUBE-SVC-A -m recent --name X --set
-A KUBE-SVC-A -p tcp -m tcp -j DNAT --to-destination 10.1.1.1:80
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
COMMIT
X`, commands...)
	requireLike(t, saved{tables: printed[0]}, commands[1:], printed[1:])
}

func TestNFTListsAsTheRealOne(t *testing.T) {
	commands := []string{
		"nft list ruleset", "nft list table ip kube-proxy", "nft list chain ip kube-proxy service-a", "nft list chain kube-proxy nat-prerouting", "nft list chain ip kube-proxy empty",
		"nft list map ip kube-proxy service-ips", "nft list set ip kube-proxy cluster-ips", "nft list chain ip kube-proxy gone", "nft list set ip kube-proxy service-ips", "nft list table ip gone",
	}
	printed := real(t, `nft -f - <<'X'
table ip kube-proxy {
	comment "rules for kube-proxy"
	map service-ips {
		type ipv4_addr . inet_proto . inet_service : verdict
		comment "ClusterIP, ExternalIP and LoadBalancer IP traffic"
	}
	set cluster-ips {
		type ipv4_addr
		elements = { 10.96.0.1, 10.96.0.2, 10.96.0.3 }
	}
	chain empty {
	}
	chain endpoint-a {
		meta l4proto tcp dnat to 10.1.1.1:80
	}
	chain service-a {
		ip daddr 10.96.0.1 tcp dport 80 ip saddr != 10.244.0.0/16 counter jump empty
		numgen random mod 1 vmap { 0 : goto endpoint-a }
	}
	chain nat-prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr . meta l4proto . th dport vmap @service-ips
	}
}
add element ip kube-proxy service-ips { 10.96.0.1 . tcp . 80 comment "default/a" : goto service-a }
add element ip kube-proxy service-ips { 10.96.0.2 . tcp . 80 comment "default/b" : goto service-a }
X`, commands...)
	requireLike(t, saved{ruleset: printed[0]}, commands[1:], printed[1:])
}
