// Package oracle holds the model against the components it describes: the rules
// of model/path against kube-proxy's own iptables proxier, and both model/path
// and model/dns against recorded vectors. It holds tests only, and may import
// Kubernetes, which the model may not.
package oracle
