package oracle

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"svctour/model/path"
)

var toolWorlds = flag.Int("toolworlds", 60, "random worlds to give to the real tools, in each mode")

// inNetwork runs a shell command in a network namespace of its own, without
// root where the kernel lets anybody make one.
func inNetwork(t *testing.T, command string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-ec", command, "sh"}, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin", "XTABLES_LOCKFILE="+filepath.Join(t.TempDir(), "lock"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if uid := os.Getuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, complaint.String())
	}
	return string(out), err
}

// requireTools skips the test unless a trial of the tools succeeds.
func requireTools(t *testing.T, trial string) string {
	t.Helper()
	out, err := inNetwork(t, trial)
	for _, no := range []error{syscall.EPERM, syscall.ENOSYS, syscall.EINVAL, syscall.ENOSPC} {
		if errors.Is(err, no) {
			t.Skipf("no namespaces here: %v", err)
		}
	}
	if err != nil {
		t.Skipf("the tools are missing or not permitted here (Debian has them in iptables, nftables and ipset): %v", err)
	}
	return out
}

// written is a file with a text.
func written(t *testing.T, dir, text string) string {
	t.Helper()
	name := filepath.Join(dir, "rules")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// restore is a program as kube-proxy hands it to iptables-restore.
func restore(p *path.Program) string {
	var b strings.Builder
	for _, table := range p.Tables {
		fmt.Fprintf(&b, "*%s\n", table.Name)
		for _, c := range table.Chains {
			policy := map[bool]string{true: "ACCEPT", false: "-"}[c.Base]
			fmt.Fprintf(&b, ":%s %s [0:0]\n", c.Name, policy)
		}
		for _, c := range table.Chains {
			for _, r := range c.Rules {
				fmt.Fprintf(&b, "-A %s %s\n", c.Name, r.Restore())
			}
		}
		b.WriteString("COMMIT\n")
	}
	return b.String()
}

// TestIPTablesTakesThePrint gives iptables-restore what is printed, in
// kube-proxy's spelling and in that of iptables-save, and reads back what it saves.
func TestIPTablesTakesThePrint(t *testing.T) {
	t.Parallel()
	for _, backend := range []string{"nft", "legacy"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			version := requireTools(t, fmt.Sprintf(`iptables-%[1]s --version; for t in iptables ip6tables; do
				printf '*nat\n:A - [0:0]\n-A A -m statistic --mode random --probability 0.5 -m recent --name x --set -j MASQUERADE\nCOMMIT\n' | $t-%[1]s-restore; $t-%[1]s-save >/dev/null; done`, backend))
			dir, rules := t.TempDir(), 0
			for i := range int64(*toolWorlds) {
				for _, p := range programs(*seed+i, path.ModeIPTables) {
					name := fmt.Sprintf("%s, seed %d", p.Family, *seed+i)
					tool := map[path.Family]string{path.IPv4: "iptables-", path.IPv6: "ip6tables-"}[p.Family] + backend
					if out, err := inNetwork(t, tool+`-restore --test <"$1"`, written(t, dir, restore(p))); err != nil {
						t.Fatalf("%s, kube-proxy's spelling: %v%s", name, err, out)
					}
					out, err := inNetwork(t, fmt.Sprintf(`%[1]s-restore --test <"$1"; %[1]s-restore <"$1"; %[1]s-save`, tool), written(t, dir, path.Print(p)))
					if err != nil {
						t.Fatalf("%s, iptables-save's spelling: %v", name, err)
					}
					o, err := path.Parse(out, p.Family)
					if err != nil {
						t.Fatalf("%s: %v\n%s", name, err, out)
					}
					requireObserved(t, name, p, o)
					rules += p.Rules()
				}
			}
			t.Logf("%s: %d worlds, both families, both spellings: %d rules", strings.TrimSpace(version), *toolWorlds, rules)
		})
	}
}

// TestIPSetTakesThePrint gives ipset what is printed, reads back what it saves,
// and gives iptables-restore the rules that ask for the sets. Kernels without
// IPVS do not know -m ipvs: those rules are left out.
func TestIPSetTakesThePrint(t *testing.T) {
	t.Parallel()
	version := requireTools(t, `ipset --version; printf 'create A hash:ip,port,net family inet6\ncreate B bitmap:port range 0-65535\n' | ipset restore; ipset save >/dev/null
		for t in iptables ip6tables; do printf '*filter\n:A - [0:0]\n-A A -m set --match-set B dst -m physdev ! --physdev-is-in -j ACCEPT\nCOMMIT\n' | $t-nft-restore; done`)
	dir, entries, rules, without := t.TempDir(), 0, 0, 0
	for i := range int64(*toolWorlds) {
		for _, p := range programs(*seed+i, path.ModeIPVS) {
			name := fmt.Sprintf("%s, seed %d", p.Family, *seed+i)
			out := p.Chain("filter", "KUBE-IPVS-OUT-FILTER")
			without += len(out.Rules)
			rules += p.Rules() - len(out.Rules)
			blocked := out.Rules
			out.Rules = nil
			sets := filepath.Join(dir, "sets")
			if err := os.WriteFile(sets, []byte(path.PrintIPSets(p)), 0o600); err != nil {
				t.Fatal(err)
			}
			tool := map[path.Family]string{path.IPv4: "iptables-nft", path.IPv6: "ip6tables-nft"}[p.Family]
			if text, err := inNetwork(t, `ipset restore <"$2"; `+tool+`-restore <"$1"`, written(t, dir, restore(p)), sets); err != nil {
				t.Fatalf("%s, kube-proxy's spelling: %v%s", name, err, text)
			}
			text, err := inNetwork(t, fmt.Sprintf(`ipset restore <"$2"; %[1]s-restore <"$1"; %[1]s-save; echo %[2]s; ipset save`, tool, strings.TrimSpace(between)), written(t, dir, path.Print(p)), sets)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			saved, kept, _ := strings.Cut(text, between)
			o, err := path.ParseIPVS(saved, kept, path.PrintIPVS(p), p.Family)
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, text)
			}
			requireObserved(t, name, p, o)
			out.Rules = blocked
			for _, s := range p.IPSets {
				entries += len(s.Elements)
			}
		}
	}
	t.Logf("%s: %d worlds, both families: %d entries, %d rules; %d rules of -m ipvs left out", strings.TrimSpace(version), *toolWorlds, entries, rules, without)
}

// TestNFTTakesThePrint gives nft what is printed, and reads back what it lists.
func TestNFTTakesThePrint(t *testing.T) {
	t.Parallel()
	version := requireTools(t, `nft --version; nft 'add table ip t; add chain ip t c { type nat hook prerouting priority -100 ; }; add rule ip t c numgen random mod 2 vmap { 0 : drop, 1 : accept }; add rule ip t c fib daddr type local accept'`)
	dir, rules := t.TempDir(), 0
	for i := range int64(*toolWorlds) {
		for _, p := range programs(*seed+i, path.ModeNFTables) {
			name := fmt.Sprintf("%s, seed %d", p.Family, *seed+i)
			family := map[path.Family]string{path.IPv4: "ip", path.IPv6: "ip6"}[p.Family]
			out, err := inNetwork(t, `nft -c -f - <"$1"; nft -f - <"$1"; nft list table "$2" kube-proxy`, written(t, dir, path.PrintNFT(p)), family)
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, path.PrintNFT(p))
			}
			o, err := path.ParseNFT(out, p.Family)
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, out)
			}
			requireObserved(t, name, p, o)
			// Another version may spell it otherwise.
			if strings.Contains(version, "v1.0.6") {
				if got, want := sortedElements(out), sortedElements(path.ListNFT(p)); got != want {
					t.Errorf("%s: nft lists\n%s\nwant\n%s", name, got, want)
				}
			}
			if t.Failed() {
				return
			}
			rules += p.Rules()
		}
	}
	t.Logf("%s: %d worlds, both families: %d rules", strings.TrimSpace(version), *toolWorlds, rules)
}

// sortedElements is nft's list with the elements of each set one a line, in order.
func sortedElements(text string) string {
	var b strings.Builder
	for text != "" {
		before, rest, found := strings.Cut(text, "elements = { ")
		b.WriteString(before)
		if !found {
			break
		}
		inside, after, _ := strings.Cut(rest, " }\n")
		elements := strings.FieldsFunc(inside, func(r rune) bool { return r == ',' || r == '\n' })
		for i := range elements {
			elements[i] = strings.TrimSpace(elements[i])
		}
		elements = slices.DeleteFunc(elements, func(e string) bool { return e == "" })
		slices.Sort(elements)
		b.WriteString(strings.Join(elements, "\n") + "\n")
		text = after
	}
	return b.String()
}
