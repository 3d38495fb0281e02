// Package oracle holds the model against the components it describes: the rules
// of model/path against kube-proxy's own iptables proxier, and both model/path
// and model/dns against recorded vectors. It holds tests only, and may import
// Kubernetes, which the model may not. kube-proxy's proxier builds for Linux
// only, so the comparison with it runs there; the vectors run everywhere.
package oracle
