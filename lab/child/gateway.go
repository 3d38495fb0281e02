package child

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"svctour/lab"
	"svctour/lab/addon"
	"svctour/lab/child/dns"
	"svctour/lab/child/hostport"
	"svctour/lab/child/image"
	"svctour/lab/child/loadbalancer"
	"svctour/lab/child/network"
	"svctour/lab/child/node"
	"svctour/lab/child/policy"
	"svctour/lab/child/process"
	"svctour/lab/child/program/nettool"
	"svctour/lab/child/proxy"
	"svctour/lab/folder"
	asked "svctour/lab/hostport"
)

// startNetwork makes the lab's network and what its gateway offers to the
// nodes: the API server, and a resolver for names outside the cluster.
func (l *running) startNetwork(ctx context.Context, specs []node.Spec) error {
	options := network.Options{
		Gateway: netip.MustParseAddr(lab.GatewayAddress), Pods: netip.MustParsePrefix(lab.PodCIDR),
	}
	for _, spec := range specs {
		options.Nodes = append(options.Nodes, network.NodeSpec{Name: spec.Name, Address: spec.Address, Pods: spec.Pods})
	}
	net, err := network.New(options)
	if err != nil {
		return fmt.Errorf("make the lab's network: %w", err)
	}
	l.network = net
	if err := os.WriteFile(l.resolvConf(), []byte("nameserver "+lab.GatewayAddress+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the nodes' resolv.conf: %w", err)
	}
	if err := l.relayAPI(ctx, net.Outside()); err != nil {
		return err
	}
	if err := dns.Upstream(ctx, net.Outside()); err != nil {
		return fmt.Errorf("start the gateway's resolver: %w", err)
	}
	return nil
}

// resolvConf is where the nodes' /etc/resolv.conf is on this machine.
func (l *running) resolvConf() string {
	return filepath.Join(l.options.Dir, folder.Data, "resolv.conf")
}

// relayAPI lets the nodes and Pods reach the API server at the gateway, where
// Service kubernetes says that it is.
func (l *running) relayAPI(ctx context.Context, gateway *network.Stack) error {
	listener, err := gateway.Listen(ctx, "tcp", net.JoinHostPort(lab.GatewayAddress, strconv.Itoa(lab.APIServerPort)))
	if err != nil {
		return fmt.Errorf("listen for the API server at the gateway: %w", err)
	}
	context.AfterFunc(ctx, func() { listener.Close() })
	go func() {
		for {
			inside, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer inside.Close()
				dialer := net.Dialer{Timeout: 10 * time.Second}
				outside, err := dialer.DialContext(ctx, "tcp", l.plane.Address)
				if err != nil {
					return
				}
				defer outside.Close()
				defer context.AfterFunc(ctx, func() { outside.Close(); inside.Close() })()
				go func() {
					_, _ = io.Copy(outside, inside)
					_ = outside.(*net.TCPConn).CloseWrite()
				}()
				_, _ = io.Copy(inside, outside)
			}()
		}
	}()
	return nil
}

// images are what there is to pull in this lab.
func (l *running) images() *image.Registry {
	registry := image.Builtin()
	add := func(name, program string, main process.Main) {
		ref, err := image.Parse(name)
		if err != nil {
			panic(err) // a constant
		}
		programs := map[string]process.Main{program: main}
		if name == proxy.ImageName { // it has what kube-proxy calls, and no shell
			for tool, main := range nettool.Node {
				programs["/usr/sbin/"+tool] = main
			}
		}
		registry.Add(image.Image{
			Repository: ref.Repository, Tags: regexp.MustCompile("^" + regexp.QuoteMeta(ref.Tag) + "$"), Size: 30_000_000,
			Entrypoint: []string{program}, Programs: programs,
		})
	}
	add(proxy.ImageName, "/usr/local/bin/kube-proxy", proxy.Main(func(name string) proxy.Node {
		if n := l.network.Node(name); n != nil {
			return n
		}
		return nil
	}))
	add(dns.ImageName, "/coredns", dns.Main)
	add(addon.ImageName, "/load-balancer", loadbalancer.Main(loadbalancer.Routes(l.network.Node, l.network.Route)))
	return registry
}

// startPolicies enforces NetworkPolicies on every node, as a network plugin's
// agent does.
func (l *running) startPolicies(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(l.plane.Config)
	if err != nil {
		return fmt.Errorf("make the network plugin's client: %w", err)
	}
	agent := &policy.Agent{}
	for i := range l.options.Nodes {
		l.network.Node(lab.NodeName(i)).SetPolicy(agent.Allows)
	}
	l.beside.Go(func() {
		if err := agent.Run(ctx, client); err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "Enforcing NetworkPolicies")
		}
	})
	return nil
}

// startHostPorts forwards the ports of this machine's loopback that were asked
// for into the lab.
func (l *running) startHostPorts(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(l.plane.Config)
	if err != nil {
		return fmt.Errorf("make the host ports' client: %w", err)
	}
	l.beside.Go(func() {
		err := hostport.Run(ctx, client, l.network.Outside().DialContext, func(states []asked.State) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.hostPorts = states
			if l.written {
				_ = l.statusLocked().Write(l.options.Dir)
			}
		})
		if err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "Forwarding host ports")
		}
	})
	return nil
}
