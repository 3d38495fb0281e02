package loadbalancer

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	cloudprovider "k8s.io/cloud-provider"
	"k8s.io/cloud-provider/api"

	"svctour/model"
)

// Class is the loadBalancerClass that asks for the lab's load balancers by
// name. Services without a class get them too.
const Class = "svctour.dev/lab"

// retryAfter is how soon an address that could not be had is asked for again:
// another Service may have given it back.
const retryAfter = 5 * time.Second

// cloud is the provider that the service controller works with.
type cloud struct {
	pool *Pool
	log  io.Writer // the Pod's log
}

// LoadBalancer is all that this cloud has.
func (c *cloud) LoadBalancer() (cloudprovider.LoadBalancer, bool)                  { return c, true }
func (c *cloud) Initialize(cloudprovider.ControllerClientBuilder, <-chan struct{}) {}
func (c *cloud) Instances() (cloudprovider.Instances, bool)                        { return nil, false }
func (c *cloud) InstancesV2() (cloudprovider.InstancesV2, bool)                    { return nil, false }
func (c *cloud) Zones() (cloudprovider.Zones, bool)                                { return nil, false }
func (c *cloud) Clusters() (cloudprovider.Clusters, bool)                          { return nil, false }
func (c *cloud) Routes() (cloudprovider.Routes, bool)                              { return nil, false }
func (c *cloud) ProviderName() string                                              { return "svctour" }
func (c *cloud) HasClusterID() bool                                                { return true }

// GetLoadBalancer says what a Service has.
func (c *cloud) GetLoadBalancer(_ context.Context, _ string, service *corev1.Service) (*corev1.LoadBalancerStatus, bool, error) {
	address, ok := c.pool.Held(service.UID)
	if !ok {
		return nil, false, nil
	}
	return status(address), true, nil
}

// GetLoadBalancerName is the default that clouds use.
func (c *cloud) GetLoadBalancerName(_ context.Context, _ string, service *corev1.Service) string {
	return cloudprovider.DefaultLoadBalancerName(service)
}

// EnsureLoadBalancer gives a Service an address: spec.loadBalancerIP if set.
func (c *cloud) EnsureLoadBalancer(_ context.Context, _ string, service *corev1.Service, _ []*corev1.Node) (*corev1.LoadBalancerStatus, error) {
	wanted := netip.Addr{}
	if text := service.Spec.LoadBalancerIP; text != "" { // deprecated, and what people write
		var err error
		if wanted, err = netip.ParseAddr(text); err != nil {
			return nil, fmt.Errorf("spec.loadBalancerIP: %w", err)
		}
	}
	had, _ := c.pool.Held(service.UID)
	address, err := c.pool.Allocate(service.UID, wanted)
	if err != nil {
		c.say("%s/%s: %v", service.Namespace, service.Name, err)
		return nil, api.NewRetryError(err.Error(), retryAfter)
	}
	if had != address {
		c.say("%s/%s: assigned address %s", service.Namespace, service.Name, address)
	}
	return status(address), nil
}

// UpdateLoadBalancer is told about other nodes: which of them announces an
// address is for the announcer to say.
func (c *cloud) UpdateLoadBalancer(context.Context, string, *corev1.Service, []*corev1.Node) error {
	return nil
}

// EnsureLoadBalancerDeleted gives a Service's address back.
func (c *cloud) EnsureLoadBalancerDeleted(_ context.Context, _ string, service *corev1.Service) error {
	if address, ok := c.pool.Held(service.UID); ok {
		c.pool.Release(service.UID)
		c.say("%s/%s: released address %s", service.Namespace, service.Name, address)
	}
	return nil
}

func (c *cloud) say(format string, arguments ...any) {
	say(c.log, format, arguments...)
}

// say writes a line of the Pod's log.
func say(log io.Writer, format string, arguments ...any) {
	fmt.Fprintf(log, "%s %s\n", time.Now().UTC().Format(time.RFC3339), model.Printable(fmt.Sprintf(format, arguments...)))
}

// status is that of a load balancer whose packets arrive at the nodes with its
// own address as their destination (KEP-1860).
func status(address netip.Addr) *corev1.LoadBalancerStatus {
	mode := corev1.LoadBalancerIPModeVIP
	return &corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{IP: address.String(), IPMode: &mode}}}
}
