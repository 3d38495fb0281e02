package whatif

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/generic"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	pkgstorage "k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
	"k8s.io/client-go/tools/cache"
	api "k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/registry/core/service/ipallocator"
	"k8s.io/kubernetes/pkg/registry/core/service/portallocator"
	servicestorage "k8s.io/kubernetes/pkg/registry/core/service/storage"

	"svctour/model"
)

// drawn counts what stands for values that a server would draw.
type drawn struct {
	addresses, names, port int
}

// standIn gives an address that no host has: of 0.0.0.0/8, "this network" (RFC
// 1122, 3.2.1.3), or of the discard prefix 100::/64 (RFC 6666).
func (d *drawn) standIn(family string) string {
	d.addresses++
	high, low := byte(d.addresses>>8), byte(d.addresses)
	if family == string(corev1.IPv6Protocol) {
		return netip.AddrFrom16([16]byte{1, 0, 14: high, 15: low}).String()
	}
	return netip.AddrFrom4([4]byte{0, 1, high, low}).String()
}

// isStandIn says whether an address is one of standIn's.
func isStandIn(address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && (netip.MustParsePrefix("0.0.0.0/8").Contains(ip) || netip.MustParsePrefix("100::/64").Contains(ip))
}

// serviceStore is the API server's registry of Services, for one of them and
// without a storage: what it does before it would store one fills in and checks
// addresses and ports.
func (w *world) serviceStore(i id) (*genericregistry.Store, error) {
	families := w.families()
	addresses := map[api.IPFamily]ipallocator.Interface{}
	for _, family := range families {
		addresses[api.IPFamily(family)] = &addressAllocator{w, family}
	}
	options := generic.RESTOptions{StorageConfig: &storagebackend.ConfigForResource{}, Decorator: noStorage, ResourcePrefix: "services"}
	services, _, _, err := servicestorage.NewREST(options, api.IPFamily(families[0]), addresses, &portAllocator{w, i}, nil, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("make a registry of Services: %w", err)
	}
	return services.Store, nil
}

// noStorage is a storage that is not there.
func noStorage(*storagebackend.ConfigForResource, string, func(runtime.Object) (string, error), func() runtime.Object, func() runtime.Object,
	pkgstorage.AttrFunc, pkgstorage.IndexerFuncs, *cache.Indexers) (pkgstorage.Interface, factory.DestroyFunc, error) {
	return nil, func() {}, nil
}

// families are the families that Services can have, the cluster's own first: of
// the ranges of cluster IPs, or else of the API server's own Service.
func (w *world) families() []string {
	var out []string
	for _, text := range w.before.ServiceCIDRs {
		if prefix, err := netip.ParsePrefix(text); err == nil && !slices.Contains(out, familyOf(prefix.Addr())) {
			out = append(out, familyOf(prefix.Addr()))
		}
	}
	own := w.before.Service("default", "kubernetes")
	switch {
	case len(out) > 1 && own != nil && len(own.IPFamilies) == 1 && own.IPFamilies[0] != out[0]:
		slices.Reverse(out)
	case len(out) == 0 && own != nil && len(own.IPFamilies) > 0:
		return own.IPFamilies[:1]
	case len(out) == 0:
		return []string{string(corev1.IPv4Protocol)}
	}
	return out
}

func familyOf(ip netip.Addr) string {
	if ip.Is4() {
		return string(corev1.IPv4Protocol)
	}
	return string(corev1.IPv6Protocol)
}

// addressAllocator hands out cluster IPs of one family.
type addressAllocator struct {
	w      *world
	family string
}

var _ ipallocator.Interface = (*addressAllocator)(nil)

// Allocate takes an address that was asked for.
func (a *addressAllocator) Allocate(ip net.IP) error {
	address, ok := netip.AddrFromSlice(ip)
	if !ok {
		return fmt.Errorf("%v is no address", ip)
	}
	address = address.Unmap()
	if len(a.w.before.ServiceCIDRs) > 0 && !slices.ContainsFunc(a.w.before.ServiceCIDRs, func(text string) bool {
		prefix, err := netip.ParsePrefix(text)
		return err == nil && prefix.Contains(address)
	}) {
		return &ipallocator.ErrNotInRange{IP: ip, ValidRange: strings.Join(a.w.before.ServiceCIDRs, ",")}
	}
	if a.Has(ip) {
		return ipallocator.ErrAllocated
	}
	return nil
}

// AllocateNext leaves open which address it is.
func (a *addressAllocator) AllocateNext() (net.IP, error) {
	return net.ParseIP(a.w.drawn.standIn(a.family)), nil
}

func (a *addressAllocator) Has(ip net.IP) bool {
	return slices.ContainsFunc(a.w.services.all(), func(s *model.Service) bool { return slices.Contains(s.ClusterIPs, ip.String()) })
}

func (a *addressAllocator) Release(net.IP) error          { return nil }
func (a *addressAllocator) ForEach(func(net.IP))          {}
func (a *addressAllocator) CIDR() net.IPNet               { return net.IPNet{} }
func (a *addressAllocator) IPFamily() api.IPFamily        { return api.IPFamily(a.family) }
func (a *addressAllocator) Destroy()                      {}
func (a *addressAllocator) EnableMetrics()                {}
func (a *addressAllocator) DryRun() ipallocator.Interface { return a }

// portAllocator hands out node ports.
type portAllocator struct {
	w       *world
	service id
}

var _ portallocator.Interface = (*portAllocator)(nil)

// The default of kube-apiserver's --service-node-port-range, which the lab has.
const nodePortLow, nodePortHigh = 30000, 32767

// highestPort is where the ports begin, downwards, that stand for node ports
// which are left open.
const highestPort = 65535

// Allocate takes a port that was asked for. What range another cluster's API
// server has cannot be read.
func (p *portAllocator) Allocate(port int) error {
	within := port >= nodePortLow && port <= nodePortHigh
	if !within && (p.w.before.Cluster.Lab || port < 0 || port > highestPort) {
		return &portallocator.ErrNotInRange{ValidPorts: fmt.Sprintf("%d-%d", nodePortLow, nodePortHigh)}
	}
	if p.Has(port) {
		return portallocator.ErrAllocated
	}
	if !within {
		p.w.tell(p.service, "spec.ports", "", fmt.Sprintf("whether the API server's --service-node-port-range has %d", port))
	}
	return nil
}

// AllocateNext leaves open which port it is.
func (p *portAllocator) AllocateNext() (int, error) {
	for {
		port := highestPort - p.w.drawn.port
		if port <= nodePortHigh {
			return 0, portallocator.ErrFull
		}
		p.w.drawn.port++
		if !p.Has(port) {
			return port, nil
		}
	}
}

func (p *portAllocator) Has(port int) bool {
	return slices.ContainsFunc(p.w.services.all(), func(s *model.Service) bool {
		return s.HealthCheckNodePort == int32(port) || slices.ContainsFunc(s.Ports, func(sp model.ServicePort) bool { return sp.NodePort == int32(port) })
	})
}

func (p *portAllocator) Release(int) error { return nil }
func (p *portAllocator) ForEach(func(int)) {}
func (p *portAllocator) Destroy()          {}
func (p *portAllocator) EnableMetrics()    {}

// openPort says whether a port stands for one that is left open.
func (w *world) openPort(port int32) bool {
	return port > highestPort-int32(w.drawn.port) && port <= highestPort && !w.usedBefore(port)
}

func (w *world) usedBefore(port int32) bool {
	return slices.ContainsFunc(w.before.Services, func(s *model.Service) bool {
		return s.HealthCheckNodePort == port || slices.ContainsFunc(s.Ports, func(p model.ServicePort) bool { return p.NodePort == port })
	})
}

// tellService notes what is open of a Service.
func (w *world) tellService(i id, s *corev1.Service) {
	for n, address := range s.Spec.ClusterIPs {
		if isStandIn(address) {
			words := "some ClusterIP"
			if n > 0 {
				words = "some second ClusterIP"
			}
			w.tell(i, "spec.clusterIPs", address, words)
		}
	}
	for n, p := range s.Spec.Ports {
		if w.openPort(p.NodePort) {
			w.tell(i, fmt.Sprintf("spec.ports[%d].nodePort", n), fmt.Sprint(p.NodePort), "some nodePort")
		}
	}
	if w.openPort(s.Spec.HealthCheckNodePort) {
		w.tell(i, "spec.healthCheckNodePort", fmt.Sprint(s.Spec.HealthCheckNodePort), "some health check port")
	}
	if s.Spec.Type == corev1.ServiceTypeLoadBalancer && len(s.Status.LoadBalancer.Ingress) == 0 {
		w.tell(i, "status.loadBalancer", "", "whether a controller gives the load balancer an address, and which")
	}
}
