package proxy

import (
	"fmt"
	"net"
	"time"

	"github.com/spf13/afero"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"svctour/cluster/convert"
	"svctour/model"
	"svctour/model/path"
)

// configuration is the part of KubeProxyConfiguration
// (kubeproxy.config.k8s.io/v1alpha1) that is in force here.
type configuration struct {
	Client struct {
		Kubeconfig string `json:"kubeconfig"`
	} `json:"clientConnection"`
	HealthzBindAddress string  `json:"healthzBindAddress"`
	MetricsBindAddress string  `json:"metricsBindAddress"`
	IPTables           periods `json:"iptables"`
	NFTables           periods `json:"nftables"`

	proxy model.Proxy
}

type periods struct {
	MinSyncPeriod metav1.Duration `json:"minSyncPeriod"`
	SyncPeriod    metav1.Duration `json:"syncPeriod"`
}

// readConfiguration reads the file of --config, with kube-proxy's defaults
// (pkg/proxy/apis/config/v1alpha1/defaults.go).
func readConfiguration(files afero.Fs, file string) (*configuration, error) {
	content, err := afero.ReadFile(files, file)
	if err != nil {
		return nil, fmt.Errorf("failed complete: %w", err) // kube-proxy's words
	}
	c := &configuration{}
	if err := yaml.Unmarshal(content, c); err != nil {
		return nil, fmt.Errorf("decode %q: %w", file, err)
	}
	// What rules depend on is read where every kube-proxy's ConfigMap is.
	c.proxy, err = convert.Proxy(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "kube-proxy"},
		Data:       map[string]string{"config.conf": string(content)},
	})
	if err != nil {
		return nil, err
	}
	if mode := c.proxy.Mode; mode != path.ModeIPTables && mode != path.ModeNFTables {
		return nil, fmt.Errorf("can't use the %s proxier: the kernel of this lab has none", mode)
	}
	c.HealthzBindAddress = bindAddress(c.HealthzBindAddress, "0.0.0.0", "10256")
	c.MetricsBindAddress = bindAddress(c.MetricsBindAddress, "127.0.0.1", "10249")
	return c, nil
}

// bindAddress is an address with the defaults for what it does not say.
func bindAddress(text, host, port string) string {
	if text == "" {
		text = host
	}
	if _, _, err := net.SplitHostPort(text); err != nil {
		return net.JoinHostPort(text, port)
	}
	return text
}

// periods are minSyncPeriod and syncPeriod of the mode in use.
func (c *configuration) periods() (minimum, period time.Duration) {
	in := c.IPTables
	if c.proxy.Mode == path.ModeNFTables {
		in = c.NFTables
	}
	minimum, period = in.MinSyncPeriod.Duration, in.SyncPeriod.Duration
	if minimum <= 0 {
		minimum = time.Second
	}
	if period <= 0 {
		period = 30 * time.Second
	}
	return min(minimum, fullSync), period
}
