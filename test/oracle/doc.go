// Package oracle holds the model against the components it describes: the rules
// of model/path against kube-proxy's own proxiers, the courses of model/router
// against a machine that carries out what those wrote, both model/path and
// model/dns against recorded vectors, and model/policy against two other
// implementations of NetworkPolicy. It holds tests only, and may import
// Kubernetes, which the model may not. kube-proxy's proxier and
// kube-network-policies build for Linux only, so the comparison with them runs
// there; the vectors run everywhere.
package oracle
