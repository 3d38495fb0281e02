package child

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"svctour/lab"
	"svctour/lab/child/dns"
	"svctour/lab/child/proxy"
)

const pollEvery = 10 * time.Millisecond

// kubeletConfig is what kubeadm writes for every kubelet, as far as it matters.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
clusterDNS:
- ` + lab.ClusterDNSAddress + `
clusterDomain: ` + lab.ClusterDomain + `
`

// writeObjects writes what kubeadm, or the API server of a cluster made by it,
// would have left in the cluster.
func (l *running) writeObjects(ctx context.Context) error {
	config := rest.CopyConfig(l.plane.Config)
	config.UserAgent = "kubeadm/" + lab.Version
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client for the lab: %w", err)
	}
	if err := poll(ctx, func() (bool, error) {
		for _, name := range []string{metav1.NamespaceSystem, metav1.NamespaceDefault} {
			if _, err := client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{}); err != nil {
				return false, ignoreNotFound(err)
			}
		}
		return true, nil
	}); err != nil {
		return fmt.Errorf("wait for the system namespaces: %w", err)
	}
	object := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "kubelet-config"},
		Data:       map[string]string{"kubelet": kubeletConfig},
	}
	if _, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Create(ctx, object, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("write ConfigMap %q: %w", object.Name, err)
	}
	if err := writeKubernetesService(ctx, client); err != nil {
		return err
	}
	return l.writeAddons(ctx, client)
}

// minSyncPeriod is how long kube-proxy lets changes gather. Its default, a
// second, is made for big clusters.
const minSyncPeriod = "100ms"

// writeAddons installs kube-proxy and CoreDNS as kubeadm does.
func (l *running) writeAddons(ctx context.Context, client kubernetes.Interface) error {
	const system = metav1.NamespaceSystem
	server := fmt.Sprintf("https://%s:%d", lab.GatewayAddress, lab.APIServerPort)
	kubeProxy := proxy.Objects(server, lab.PodCIDR)
	kubeProxy.Config.Data["config.conf"] = strings.Replace(kubeProxy.Config.Data["config.conf"], `mode: ""`, "mode: "+l.options.ProxyMode, 1)
	kubeProxy.Config.Data["config.conf"] = strings.ReplaceAll(kubeProxy.Config.Data["config.conf"], "minSyncPeriod: 0s", "minSyncPeriod: "+minSyncPeriod)
	kubeDNS := dns.Objects(netip.MustParseAddr(lab.ClusterDNSAddress), lab.ClusterDomain)
	create := metav1.CreateOptions{}
	if err := poll(ctx, func() (bool, error) { // else kube-proxy would be forbidden, and wait before it asks again
		_, err := client.RbacV1().ClusterRoles().Get(ctx, kubeProxy.Binding.RoleRef.Name, metav1.GetOptions{})
		return err == nil, ignoreNotFound(err)
	}); err != nil {
		return fmt.Errorf("wait for the default roles: %w", err)
	}
	for _, write := range []func() error{
		func() error {
			_, err := client.CoreV1().ServiceAccounts(system).Create(ctx, kubeProxy.Account, create)
			return err
		},
		func() error {
			_, err := client.RbacV1().ClusterRoleBindings().Create(ctx, kubeProxy.Binding, create)
			return err
		},
		func() error {
			_, err := client.CoreV1().ConfigMaps(system).Create(ctx, kubeProxy.Config, create)
			return err
		},
		func() error {
			_, err := client.AppsV1().DaemonSets(system).Create(ctx, kubeProxy.DaemonSet, create)
			return err
		},
		func() error {
			_, err := client.CoreV1().Services(system).Create(ctx, kubeDNS.Service, create)
			return err
		},
		func() error {
			_, err := client.CoreV1().ServiceAccounts(system).Create(ctx, kubeDNS.Account, create)
			return err
		},
		func() error { _, err := client.RbacV1().ClusterRoles().Create(ctx, kubeDNS.Role, create); return err },
		func() error {
			_, err := client.RbacV1().ClusterRoleBindings().Create(ctx, kubeDNS.Binding, create)
			return err
		},
		func() error {
			_, err := client.CoreV1().ConfigMaps(system).Create(ctx, kubeDNS.Config, create)
			return err
		},
		func() error {
			_, err := client.AppsV1().Deployments(system).Create(ctx, kubeDNS.Deployment, create)
			return err
		},
	} {
		if err := write(); err != nil {
			return fmt.Errorf("install kube-proxy and CoreDNS: %w", err)
		}
	}
	return nil
}

// writeKubernetesService writes Service kubernetes and its endpoints as the
// API server's own reconciler would if it listened where nodes see it, on port
// 6443. The reconciler of this one would publish its random port of loopback,
// which Endpoints may not even hold.
func writeKubernetesService(ctx context.Context, client kubernetes.Interface) error {
	const name = "kubernetes"
	single := corev1.IPFamilyPolicySingleStack
	services := client.CoreV1().Services(metav1.NamespaceDefault)
	create := func() (bool, error) {
		_, err := services.Create(ctx, &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"provider": name, "component": "apiserver"}},
			Spec: corev1.ServiceSpec{
				ClusterIP: lab.KubernetesServiceAddress, IPFamilyPolicy: &single, SessionAffinity: corev1.ServiceAffinityNone, Type: corev1.ServiceTypeClusterIP,
				Ports: []corev1.ServicePort{{Name: "https", Protocol: corev1.ProtocolTCP, Port: 443, TargetPort: intstr.FromInt32(lab.APIServerPort)}},
			},
		}, metav1.CreateOptions{})
		if err == nil {
			return true, nil
		}
		// The API server was first: its own target port gives way.
		patch := fmt.Appendf(nil, `[{"op":"replace","path":"/spec/ports/0/targetPort","value":%d}]`, lab.APIServerPort)
		if apierrors.IsAlreadyExists(err) {
			_, err = services.Patch(ctx, name, types.JSONPatchType, patch, metav1.PatchOptions{})
			return err == nil, err
		}
		return false, nil // its range of addresses is not ready yet
	}
	if err := poll(ctx, create); err != nil {
		return fmt.Errorf("write Service %q: %w", name, err)
	}
	//lint:ignore SA1019 Endpoints are shown, with their deprecation, as clusters still have them
	subset := corev1.EndpointSubset{
		Addresses: []corev1.EndpointAddress{{IP: lab.GatewayAddress}},
		Ports:     []corev1.EndpointPort{{Name: "https", Port: lab.APIServerPort, Protocol: corev1.ProtocolTCP}},
	}
	port, portName, protocol, ready := int32(lab.APIServerPort), "https", corev1.ProtocolTCP, true
	//lint:ignore SA1019 as above
	if _, err := client.CoreV1().Endpoints(metav1.NamespaceDefault).Create(ctx, &corev1.Endpoints{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{discoveryv1.LabelSkipMirror: "true"}},
		//lint:ignore SA1019 as above
		Subsets: []corev1.EndpointSubset{subset},
	}, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("write Endpoints %q: %w", name, err)
	}
	if _, err := client.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).Create(ctx, &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: name}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{lab.GatewayAddress}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		}},
		Ports: []discoveryv1.EndpointPort{{Name: &portName, Port: &port, Protocol: &protocol}},
	}, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("write EndpointSlice %q: %w", name, err)
	}
	return nil
}

// waitUsable returns when what a first Pod needs is there: the nodes are Ready
// and without taints, and namespace default has its ServiceAccount.
func waitUsable(ctx context.Context, config *rest.Config, nodes int) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client for the lab: %w", err)
	}
	err = poll(ctx, func() (bool, error) {
		if _, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{}); err != nil {
			return false, ignoreNotFound(err)
		}
		list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		ready := 0
		for _, node := range list.Items {
			for _, condition := range node.Status.Conditions {
				if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue && len(node.Spec.Taints) == 0 {
					ready++
				}
			}
		}
		return ready == nodes, nil
	})
	if err != nil {
		return fmt.Errorf("wait until Pods can be made: %w", err)
	}
	return nil
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// poll calls done until it says so or fails.
func poll(ctx context.Context, done func() (bool, error)) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
