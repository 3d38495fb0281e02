package cli

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"svctour/lab/hostport"
)

func TestAddonAndExposeWithoutALab(t *testing.T) {
	alone(t)
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := listener.Addr().(*net.TCPAddr).Port
	for _, c := range []struct {
		args   string
		code   int
		stderr string
	}{
		{"lab addon list", 1, `no lab is running; "svctour lab up" starts one`},
		{"lab addon list -o xml", 2, `output format "xml"`},
		{"lab addon enable", 2, `"svctour lab addon enable": which addon? There is "load-balancer"`},
		{"lab addon enable metallb", 2, `no addon is called "metallb"; there is "load-balancer"`},
		{"lab addon enable load-balancer x", 2, "takes one argument"},
		{"lab addon enable load-balancer --pool 10.0.0.0/24", 2, `address pool "10.0.0.0/24": want FIRST-LAST`},
		{"lab addon enable load-balancer", 1, "no lab is running"},
		{"lab addon disable load-balancer", 1, "no lab is running"},
		{"lab expose", 2, `"svctour lab expose": which port?`},
		{"lab expose 8080:web:80", 2, `host port "8080:web:80": "web" is not an IPv4 address`},
		{"lab expose 8080:30080 8080:30081", 2, "port 8080 of this machine is given twice"},
		{fmt.Sprintf("lab expose %d:30080", taken), 1, fmt.Sprintf("port %d of this machine is taken by another program", taken)},
		{"lab unexpose", 2, "which port?"},
		{"lab unexpose web", 2, `"web" is not a port of this machine`},
		{"lab unexpose 8080", 1, "no lab is running"},
		{"lab up --host-port 0", 2, `host port "0": "0" is not a port`},
		{fmt.Sprintf("lab up --host-port %d", taken), 1, fmt.Sprintf("port %d of this machine is taken by another program", taken)},
	} {
		code, stdout, stderr := svctour(strings.Fields(c.args)...)
		if code != c.code || stdout != "" || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%s: got %d, %q, %q; want %d, %q", c.args, code, stdout, stderr, c.code, c.stderr)
		}
	}
}

func TestHostPortText(t *testing.T) {
	for want, s := range map[string]hostport.State{
		"127.0.0.1:80 to 172.18.0.2:30080":       {Listen: "127.0.0.1:80", To: "172.18.0.2:30080"},
		"127.0.0.1:80 to 172.18.0.2:30080: no �": {Listen: "127.0.0.1:80", To: "172.18.0.2:30080", Problem: "no \x1b"},
	} {
		if got := hostPortText(s); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
