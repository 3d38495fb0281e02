package oracle

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	miekg "github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"svctour/model/dns"
)

// inNamespace is set in the child that has a network and a file system view of
// its own: servers on port 53 and a resolv.conf that no other process sees.
const inNamespace = "SVCTOUR_TEST_RESOLVERS"

// TestResolvers holds model/dns against the resolvers of the C libraries that
// are installed: for each case, every query that a server on loopback received,
// in order, and how the look-up ended.
func TestResolvers(t *testing.T) {
	if os.Getenv(inNamespace) == "" {
		runInNamespace(t)
		return
	}
	w := newResolverWorld(t)
	for libc, compiler := range map[dns.Libc]string{dns.Glibc: "cc", dns.Musl: "musl-gcc"} {
		t.Run(string(libc), func(t *testing.T) {
			program := compile(t, compiler)
			cases := resolverCases()
			for i, c := range cases {
				w.compare(t, libc, program, c)
				if t.Failed() {
					t.Fatalf("case %d of %d", i+1, len(cases))
				}
			}
			t.Logf("%d look-ups, queries equal", len(cases))
			w.compareHosts(t, libc, program)
		})
	}
}

// compile builds the program that calls getaddrinfo.
func compile(t *testing.T, compiler string) string {
	t.Helper()
	if _, err := exec.LookPath(compiler); err != nil {
		t.Skipf("no %s: Debian has it in gcc and libc6-dev, or musl-tools", compiler)
	}
	program := filepath.Join(t.TempDir(), "resolve")
	if out, err := exec.Command(compiler, "-o", program, "testdata/resolve.c").CombinedOutput(); err != nil {
		t.Skipf("%s cannot build here: %v\n%s", compiler, err, out)
	}
	return program
}

// runInNamespace runs this test again in namespaces of its own, without root
// where the kernel lets anybody make them.
func runInNamespace(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestResolvers$", "-test.v", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if uid := os.Getuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSPC) {
		t.Skipf("no namespaces here: %v", err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	if strings.Contains(string(out), "--- SKIP") {
		t.Skip("some of it was skipped")
	}
}

// resolverWorld is the namespace: the files that resolvers read and the servers
// that they ask.
type resolverWorld struct {
	conf    string // path of resolv.conf
	dir     string // of it and the other files
	servers []*recordingServer
}

func newResolverWorld(t *testing.T) *resolverWorld {
	t.Helper()
	if err := loopbackUp(); err != nil {
		t.Skipf("the loopback device cannot be started: %v", err)
	}
	dir := t.TempDir()
	w := &resolverWorld{conf: filepath.Join(dir, "resolv.conf"), dir: dir}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Skipf("no file system view of its own: %v", err)
	}
	for name, content := range map[string]string{"resolv.conf": "", "nsswitch.conf": "hosts: dns\n", "hosts": ""} {
		path, target := filepath.Join(dir, name), filepath.Join("/etc", name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount(path, target, "", syscall.MS_BIND, ""); err != nil {
			t.Skipf("%s cannot be replaced: %v", target, err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(target, syscall.MNT_DETACH) })
	}
	for i := range 3 {
		w.servers = append(w.servers, newRecordingServer(t, i))
	}
	return w
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}

// recordingServer answers by a table and keeps what it was asked, in order.
type recordingServer struct {
	index int
	conn  net.PacketConn
	table func(server int, name, kind string) dns.Outcome
	asked []string
	mark  chan struct{} // a mark arrived: all before it is recorded
}

// malformed stands for a message that cannot be read.
const malformed = "malformed"

func newRecordingServer(t *testing.T, index int) *recordingServer {
	t.Helper()
	conn, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.0.%d:53", index+1))
	if err != nil {
		t.Fatal(err)
	}
	r := &recordingServer{index: index, conn: conn, mark: make(chan struct{})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.serve()
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-ended
	})
	return r
}

func (r *recordingServer) serve() {
	buffer := make([]byte, 4096)
	for {
		n, from, err := r.conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		if n == 1 {
			r.mark <- struct{}{}
			continue
		}
		var m miekg.Msg
		if err := m.Unpack(buffer[:n]); err != nil || len(m.Question) != 1 {
			r.asked = append(r.asked, malformed)
			continue
		}
		q := m.Question[0]
		name, kind := strings.ToLower(q.Name), miekg.TypeToString[q.Qtype]
		r.asked = append(r.asked, name+" "+kind)
		outcome := r.table(r.index, name, kind)
		if outcome == dns.Silent {
			continue
		}
		reply := new(miekg.Msg).SetReply(&m)
		reply.Authoritative, reply.RecursionAvailable = true, true // without, glibc takes NODATA for a lame server
		switch outcome {
		case dns.Found:
			text := map[string]string{"A": "192.0.2.1", "AAAA": "2001:db8::1"}[kind]
			if rr, err := miekg.NewRR(fmt.Sprintf("%s 30 IN %s %s", q.Name, kind, text)); err == nil {
				reply.Answer = append(reply.Answer, rr)
			}
		case dns.NoName:
			reply.Rcode = miekg.RcodeNameError
		case dns.ServFail:
			reply.Rcode = miekg.RcodeServerFailure
		case dns.Refused:
			reply.Rcode = miekg.RcodeRefused
		}
		if packed, err := reply.Pack(); err == nil {
			_, _ = r.conn.WriteTo(packed, from)
		}
	}
}

// settle waits until everything that was sent to the server is recorded.
func (r *recordingServer) settle(t *testing.T) {
	t.Helper()
	conn, err := net.Dial("udp4", r.conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte{0}); err != nil {
		t.Fatal(err)
	}
	<-r.mark
}

// compare looks one name up with the program and with the model.
func (w *resolverWorld) compare(t *testing.T, libc dns.Libc, program string, c resolverCase) {
	t.Helper()
	if err := os.WriteFile(w.conf, []byte(c.conf), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, server := range w.servers {
		server.table, server.asked = c.answer, nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, c.name).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", c.name, err, out)
	}
	course := libc.Lookup(dns.ParseResolvConf(c.conf, libc), c.name, []string{"A", "AAAA"}, dns.OneByOne(c.answer))
	for i, server := range w.servers {
		server.settle(t)
		var want []string
		for _, q := range course.Sent {
			if q.Server == i {
				text := strings.ToLower(q.Name) + " " + q.Type
				if strings.HasSuffix(q.Name, "..") {
					text = malformed
				}
				want = append(want, text)
			}
		}
		if !slices.Equal(server.asked, want) {
			t.Errorf("%s %q with\n%sserver %d was asked\n  %s\nthe model says\n  %s", libc, c.name, c.conf, i+1,
				strings.Join(server.asked, "\n  "), strings.Join(want, "\n  "))
		}
	}
	end := map[dns.Outcome]string{dns.Found: "found", dns.ServFail: "again"}[course.End]
	if end == "" {
		end = "none"
	}
	if got := strings.TrimSpace(string(out)); got != end {
		t.Errorf("%s %q with\n%sended with %q, the model says %q (%s)", libc, c.name, c.conf, got, end, course.End)
	}
}
