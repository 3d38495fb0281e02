package kubectl

import (
	"slices"
	"strings"
)

// kinds are the namespaced kinds that may be written, under every name kubectl
// gives them, with the API versions a manifest may use.
var kinds = []struct {
	kind    string
	version string
	names   []string
}{
	{"Deployment", "apps/v1", []string{"deployment", "deployments", "deploy", "deployment.apps", "deployments.apps"}},
	{"ReplicaSet", "apps/v1", []string{"replicaset", "replicasets", "rs", "replicaset.apps", "replicasets.apps"}},
	{"StatefulSet", "apps/v1", []string{"statefulset", "statefulsets", "sts", "statefulset.apps", "statefulsets.apps"}},
	{"DaemonSet", "apps/v1", []string{"daemonset", "daemonsets", "ds", "daemonset.apps", "daemonsets.apps"}},
	{"Pod", "v1", []string{"pod", "pods", "po"}},
	{"Service", "v1", []string{"service", "services", "svc"}},
	{"ConfigMap", "v1", []string{"configmap", "configmaps", "cm"}},
	{"Secret", "v1", []string{"secret", "secrets"}},
	{"Endpoints", "v1", []string{"endpoints", "ep"}},
	{"EndpointSlice", "discovery.k8s.io/v1", []string{"endpointslice", "endpointslices", "endpointslice.discovery.k8s.io", "endpointslices.discovery.k8s.io"}},
	{"Job", "batch/v1", []string{"job", "jobs", "job.batch", "jobs.batch"}},
	{"NetworkPolicy", "networking.k8s.io/v1", []string{"networkpolicy", "networkpolicies", "netpol", "networkpolicy.networking.k8s.io", "networkpolicies.networking.k8s.io"}},
}

// writable says whether objects of the kind that kubectl calls name may be
// written. "all" may not: any custom resource can belong to that category, also
// one without namespaces, and kubectl then writes in the whole cluster
// (k8s.io/cli-runtime/pkg/resource Builder.visitBySelector).
func writable(name string) error {
	name = strings.ToLower(name)
	if name == "all" {
		return refuse("\"all\" may hold objects that live in no namespace: name the kinds, for example %q", "pods,services,deployments")
	}
	for _, k := range kinds {
		if slices.Contains(k.names, name) {
			return nil
		}
	}
	if near := nearKind(name); near != "" {
		return refuse("svctour does not change %q: did you mean %q?", name, near)
	}
	return refuse("svctour does not change %q: it writes only objects that live in its own namespaces", name)
}

func noArgs(positional []string, _ bool) error {
	if len(positional) > 0 {
		return refuse("unexpected argument %q", positional[0])
	}
	return nil
}

func anyArgs([]string, bool) error { return nil }

// onlyManifest: the objects come on stdin and nowhere else.
func onlyManifest(positional []string, manifest bool) error {
	if len(positional) > 0 {
		return refuse("svctour does not run this with %q", positional[0])
	}
	if !manifest {
		return refuse("say what to write with \"-f -\" and a manifest")
	}
	return nil
}

// objects: TYPE[,TYPE…] [NAME…], or TYPE/NAME… (k8s.io/cli-runtime/pkg/resource
// Builder.ResourceTypeOrNameArgs).
func objects(positional []string, manifest bool) error {
	if len(positional) == 0 {
		if manifest {
			return nil
		}
		return refuse("say which object, for example %q", "deployment/web")
	}
	if !slices.ContainsFunc(positional, func(arg string) bool { return strings.Contains(arg, "/") }) {
		for name := range strings.SplitSeq(positional[0], ",") {
			if err := writable(name); err != nil {
				return err
			}
		}
		return nil
	}
	for _, arg := range positional {
		kind, name, ok := strings.Cut(arg, "/")
		if !ok || name == "" || strings.Contains(name, "/") {
			return refuse("%q is not TYPE/NAME", arg)
		}
		if err := writable(kind); err != nil {
			return err
		}
	}
	return nil
}

// objectsAndPairs: objects, then KEY=VALUE or KEY- (kubectl's
// util.GetResourcesAndPairs).
func objectsAndPairs(positional []string, manifest bool) error {
	first := slices.IndexFunc(positional, func(arg string) bool {
		return strings.Contains(arg, "=") && arg[0] != '=' || strings.HasSuffix(arg, "-") && arg != "-"
	})
	if first >= 0 {
		positional = positional[:first]
	}
	return objects(positional, manifest)
}

// oneObjectOfKind: TYPE/NAME or TYPE NAME.
func oneObjectOfKind(positional []string, manifest bool) error {
	if manifest || len(positional) == 0 || len(positional) > 2 {
		return refuse("say which object, for example %q", "service/web")
	}
	return objects(positional, false)
}

// objectAndPorts: a Pod's NAME or TYPE/NAME, then ports.
func objectAndPorts(positional []string, _ bool) error {
	if len(positional) < 2 {
		return refuse("say what and which ports, for example %q", "port-forward service/web 8080:80")
	}
	return oneObject(positional[:1], false)
}

// oneObject: NAME (of a Pod) or TYPE/NAME.
func oneObject(positional []string, _ bool) error {
	switch {
	case len(positional) != 1:
		return refuse("say which Pod, then \"--\" and the command, for example %q", "exec web -- hostname")
	case strings.Contains(positional[0], "/"):
		return objects(positional, false)
	}
	return nil
}
