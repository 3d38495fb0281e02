package clustertest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"svctour/cli"
	"svctour/cluster"
	"svctour/lab/child/controlplane"
	"svctour/model"
)

// Environment variables that turn this test binary into one of its helpers.
const (
	serverEnv  = "CLUSTERTEST_SERVER"  // a folder: run a control plane there
	watcherEnv = "CLUSTERTEST_WATCHER" // a kubeconfig: watch until stdin ends
)

// patience bounds every wait; on a slow machine nothing may hang for ever.
const patience = 60 * time.Second

var server struct {
	process *os.Process
	config  *clientcmdapi.Config
	client  kubernetes.Interface // does not pass through the connection under test
}

func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == "kubectl": // what Connection.Kubectl runs
		os.Exit(cli.Main(context.Background(), cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Args))
	case os.Getenv(serverEnv) != "":
		exit(serve(os.Getenv(serverEnv)))
	case os.Getenv(watcherEnv) != "":
		exit(watch(os.Getenv(watcherEnv)))
	}
	code, err := withServer(m.Run)
	if err == nil {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve runs a control plane, without nodes, until stdin ends.
func serve(dir string) error {
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	plane, err := controlplane.Start(ctx, controlplane.Options{
		Dir: dir, Log: log,
		Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no network") },
	})
	if err != nil {
		return err
	}
	defer plane.Stop()
	if err := plane.StartControllers(ctx); err != nil {
		return err
	}
	if err := plane.WaitReady(ctx); err != nil {
		return err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: plane.Config.Host, CertificateAuthorityData: plane.Authority()}
	config.AuthInfos["test"] = &clientcmdapi.AuthInfo{Token: plane.Token()}
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test"}
	config.CurrentContext = "test"
	if err := clientcmd.WriteToFile(*config, filepath.Join(dir, "kubeconfig")); err != nil {
		return err
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// withServer runs the tests beside a control plane.
func withServer(run func() int) (int, error) {
	dir, err := os.MkdirTemp("", "clustertest")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	program, err := os.Executable()
	if err != nil {
		return 1, err
	}
	os.Unsetenv("KUBECONFIG")
	os.Setenv("SVCTOUR_HOME", dir)
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), serverEnv+"="+dir)
	noise, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		return 1, err
	}
	defer noise.Close()
	cmd.Stderr = noise
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 1, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 1, err
	}
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	defer cmd.Wait()
	defer stdin.Close()
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		said, _ := os.ReadFile(noise.Name())
		return 1, fmt.Errorf("the control plane said %q: %w\n%s", line, err, said)
	}
	server.process = cmd.Process
	if server.config, err = clientcmd.LoadFromFile(filepath.Join(dir, "kubeconfig")); err != nil {
		return 1, err
	}
	rest, err := clientcmd.NewDefaultClientConfig(*server.config, nil).ClientConfig()
	if err != nil {
		return 1, err
	}
	rest.QPS, rest.Burst = 1000, 1000
	if server.client, err = kubernetes.NewForConfig(rest); err != nil {
		return 1, err
	}
	code := run()
	if transport, ok := server.client.CoreV1().RESTClient().(interface{ Close() }); ok {
		transport.Close()
	}
	return code, nil
}

// watch is the helper that only watches, with logging as it comes.
func watch(kubeconfig string) error {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	c, err := cluster.Connect(ctx, cluster.Options{Kubeconfig: kubeconfig})
	if err != nil {
		return err
	}
	defer c.Close()
	last := ""
	for seen := uint64(0); ; {
		s, err := c.Next(ctx, seen)
		if err != nil {
			return nil
		}
		seen = s.Sequence
		state := "syncing"
		switch {
		case s.Sync.Err != "":
			state = "trouble"
		case s.Sync.Synced:
			state = "live"
		}
		if state != last {
			fmt.Println(state)
		}
		last = state
	}
}

// kubeconfig writes the server's kubeconfig, changed, and gives its path.
func kubeconfig(t testing.TB, change func(*clientcmdapi.Config)) string {
	t.Helper()
	config := server.config.DeepCopy()
	if change != nil {
		change(config)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// connect makes a connection that ends with the test.
func connect(t testing.TB, o cluster.Options) *cluster.Connection {
	t.Helper()
	if o.Kubeconfig == "" {
		o.Kubeconfig = kubeconfig(t, nil)
	}
	c, err := cluster.Connect(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// await takes snapshots until one pleases.
func await(t testing.TB, c *cluster.Connection, what string, pleases func(*model.Snapshot) bool) *model.Snapshot {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	last := &model.Snapshot{}
	for {
		s, err := c.Next(ctx, last.Sequence)
		if err != nil {
			t.Fatalf("wait for %s: %v; last state %+v", what, err, last.Sync)
		}
		if pleases(s) {
			return s
		}
		last = s
	}
}

func live(s *model.Snapshot) bool { return s.Sync.Synced && s.Sync.Err == "" }

// proxy stands between a connection and the server.
type proxy struct {
	t       testing.TB
	address string
	target  string

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
	frozen   chan struct{} // closed when it thaws; nil when it flows
	group    sync.WaitGroup
}

func newProxy(t testing.TB) *proxy {
	t.Helper()
	at, err := url.Parse(server.config.Clusters["test"].Server)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, address: "127.0.0.1:0", target: at.Host, conns: map[net.Conn]bool{}}
	p.up()
	t.Cleanup(func() {
		p.thaw()
		p.down()
		p.group.Wait()
	})
	return p
}

// up starts to listen, again at the same address.
func (p *proxy) up() {
	listener, err := net.Listen("tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	p.listener, p.address = listener, listener.Addr().String()
	p.mu.Unlock()
	p.group.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", p.target)
			if err != nil {
				in.Close()
				continue
			}
			p.mu.Lock()
			p.conns[in], p.conns[out] = true, true
			p.mu.Unlock()
			p.group.Go(func() { p.copy(in, out) })
			p.group.Go(func() { p.copy(out, in) })
		}
	})
}

func (p *proxy) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		frozen := p.frozen
		p.mu.Unlock()
		if frozen != nil {
			<-frozen
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// down breaks every connection and refuses new ones.
func (p *proxy) down() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listener.Close()
	for conn := range p.conns {
		conn.Close()
	}
	clear(p.conns)
}

// freeze lets nothing through and breaks nothing.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = make(chan struct{})
}

func (p *proxy) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen != nil {
		close(p.frozen)
		p.frozen = nil
	}
}

// through makes a kubeconfig that leads through the proxy.
func (p *proxy) through(config *clientcmdapi.Config) {
	config.Clusters["test"].Server = "https://" + p.address
}

// object names are unique to a test.
func unique(t testing.TB) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, t.Name()))
}
